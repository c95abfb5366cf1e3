"""Secrets at rest: AES-256-GCM under a key from the environment or a file, with key ids so that keys can be rotated."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ioc.errors import ConfigurationError

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4


class Sealer:
    """Seals and opens small secrets. The first key seals, every key opens.

    Args:
        keys: 32-byte keys, the current one first, older ones while they still seal something.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise ConfigurationError(["an encryption key has 32 bytes"])
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def seal(self, secret: str, *, purpose: str) -> bytes:
        """Encrypt a secret. It opens only for the same ``purpose``, so rows cannot be swapped."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._current + nonce + self._ciphers[self._current].encrypt(nonce, secret.encode(), purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> str:
        """Decrypt a secret.

        Raises:
            ConfigurationError: no key that we have fits.
        """
        key_id, nonce = sealed[:_KEY_ID_BYTES], sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
        cipher = self._ciphers.get(key_id)
        try:
            if cipher is None:
                raise InvalidTag
            return cipher.decrypt(nonce, sealed[_KEY_ID_BYTES + _NONCE_BYTES :], purpose.encode()).decode()
        except InvalidTag as error:
            raise ConfigurationError(
                [f"a stored secret ({purpose}) was sealed with a key that is not configured"]
            ) from error


def decode_key(text: str, *, name: str) -> bytes:
    """Read a 32-byte key from base64.

    Raises:
        ConfigurationError: it is not base64 or has another length.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ConfigurationError([f"{name}: not base64"]) from error
    if len(key) != 32:
        raise ConfigurationError([f"{name}: has {len(key)} bytes, not 32 (make one with `openssl rand -base64 32`)"])
    return key


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key-id" + key).digest()[:_KEY_ID_BYTES]
