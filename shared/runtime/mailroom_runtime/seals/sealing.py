"""Secrets at rest: AES-256-GCM, the owner's id bound in, several keys at once for rotation."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PREFIX = "sealed"
_NONCE_BYTES = 12  # NIST SP 800-38D section 8.2.2


class SealBroken(ValueError):
    """A sealed secret that cannot be opened: another key, another owner, or damaged. Never says its content."""


class Sealer:
    """Seals and opens secrets with a key ring (see `keyring.parse_keys`); the first key seals."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("MAILROOM_SECRET_KEYS is empty: secrets cannot be sealed")
        self._keys = {key_id: AESGCM(key[:32]) for key_id, key in keys.items()}
        self._current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"Sealer(keys={list(self._keys)})"

    def seal(self, plaintext: str, *, bound_to: str) -> str:
        """The sealed form, which opens only for the same `bound_to` (an address id)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, plaintext.encode(), bound_to.encode())
        return f"{_PREFIX}:{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, bound_to: str) -> str:
        """The secret. Raises `SealBroken`."""
        parts = sealed.split(":")
        if len(parts) != 3 or parts[0] != _PREFIX:
            raise SealBroken("this is not a sealed secret")
        key = self._keys.get(parts[1])
        if key is None:
            raise SealBroken(f"it was sealed with the key {parts[1]!r}, which MAILROOM_SECRET_KEYS does not have")
        try:
            data = base64.b64decode(parts[2], validate=True)
            return key.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], bound_to.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise SealBroken("it is damaged, or belongs to another address") from None

    def needs_rotation(self, sealed: str) -> bool:
        """Whether it was sealed with a key that is not the first any more."""
        parts = sealed.split(":")
        return len(parts) == 3 and parts[1] != self._current
