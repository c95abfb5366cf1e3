"""The deployment's own keys: from the settings, else made once and kept in the data directory (mode 0600)."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ioc.errors import ConfigurationError
from ioc.sealing import decode_key
from ioc.settings import Settings

_FILE = "keys.json"
_NAMES = ("encryption_key", "pseudonym_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """32 bytes each: one seals secrets at rest, one makes pseudonyms of plates and trip ids."""

    encryption_key: bytes
    pseudonym_key: bytes


def load_keys(settings: Settings) -> Keys:
    """Give the keys that are set; what is not set is read from the data directory, and made there the first time.

    Raises:
        ConfigurationError: a key has a wrong form, or the key file cannot be read.
    """
    given = {
        "encryption_key": settings.secrets.encryption_key,
        "pseudonym_key": settings.secrets.pseudonym_key,
    }
    found: dict[str, bytes] = {}
    kept = _read_or_make(settings.data_dir / _FILE) if not all(given.values()) else {}
    for name, secret in given.items():
        text = secret.get_secret_value() if secret is not None else kept[name]
        found[name] = decode_key(text, name=f"IOC_SECRETS__{name.upper()}")
    return Keys(**found)


def _read_or_make(path: Path) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    made = {name: base64.b64encode(os.urandom(32)).decode("ascii") for name in _NAMES}
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
    return made


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(kept[name]) for name in _NAMES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            [f"{path} is not a key file of this program ({error}); restore it from a backup"]
        ) from error
