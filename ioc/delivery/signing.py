"""Signatures of webhooks after the Standard Webhooks specification 1.0: ``v1`` (HMAC-SHA256) and ``v1a`` (Ed25519)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX = "whsec_"


class SigningKeyError(ValueError):
    """A webhook secret that does not have the form the specification asks for."""


def decode_secret(secret: str) -> bytes:
    """Give the key bytes of a ``whsec_…`` secret.

    Raises:
        SigningKeyError: the prefix is missing, the rest is not base64, or the key is not 24 to 64 bytes long.
    """
    if not secret.startswith(SECRET_PREFIX):
        raise SigningKeyError(f"a webhook secret starts with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise SigningKeyError("a webhook secret is base64 after its prefix") from error
    if not 24 <= len(key) <= 64:
        raise SigningKeyError(f"a webhook key has 24 to 64 bytes, not {len(key)}")
    return key


def make_secret() -> str:
    """Make a new secret of 32 random bytes."""
    return encode_secret(secrets.token_bytes(32))


def encode_secret(key: bytes) -> str:
    """Write key bytes (24 to 64 of them) as a ``whsec_…`` secret."""
    secret = SECRET_PREFIX + base64.b64encode(key).decode("ascii")
    decode_secret(secret)
    return secret


def sign(
    *,
    message_id: str,
    attempted_at: datetime,
    body: bytes,
    secrets: Sequence[str] = (),
    private_keys: Sequence[bytes] = (),
) -> Mapping[str, str]:
    """Give the three headers of one attempt.

    ``message_id`` stays the same over retries, ``attempted_at`` is the attempt's own. While old secrets live, each of
    them signs too; the receiver accepts any. ``private_keys`` are raw 32-byte Ed25519 seeds.
    """
    timestamp = str(int(attempted_at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(decode_secret(secret), signed, "sha256")).decode("ascii")
        for secret in secrets
    ]
    for seed in private_keys:
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
        signatures.append("v1a," + base64.b64encode(signature).decode("ascii"))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
