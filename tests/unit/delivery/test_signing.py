from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ioc.delivery.signing import SigningKeyError, decode_secret, encode_secret, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'


def test_the_vector_of_the_specification_is_signed_as_published() -> None:
    headers = sign(message_id=MESSAGE_ID, attempted_at=AT, body=BODY, secrets=[SECRET])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-id"] == MESSAGE_ID
    assert headers["webhook-timestamp"] == "1614265330"


def test_old_and_new_secret_both_sign_while_the_old_one_lives() -> None:
    other = encode_secret(b"n" * 32)
    headers = sign(message_id=MESSAGE_ID, attempted_at=AT, body=BODY, secrets=[other, SECRET])
    first, second = headers["webhook-signature"].split(" ")
    assert second == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert first != second


def test_an_ed25519_signature_verifies_with_the_public_key() -> None:
    seed = bytes(range(32))
    headers = sign(message_id=MESSAGE_ID, attempted_at=AT, body=BODY, private_keys=[seed])
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(base64.b64decode(signature), MESSAGE_ID.encode() + b".1614265330." + BODY)


@pytest.mark.parametrize("secret", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***", "whsec_c2hvcnQ="])
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(SigningKeyError):
        decode_secret(secret)
