"""Keys from the environment: several at once, so that they can be rotated. The first one is used for new things."""

from __future__ import annotations

import base64
import binascii


def parse_keys(text: str, *, setting: str = "MAILROOM_SECRET_KEYS", size: int = 32) -> dict[str, bytes]:
    """`k2:<base64>,k1:<base64>` as an ordered mapping from key id to key.

    Raises ValueError that names the setting and the key id, never the key.
    """
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, separator, encoded = entry.partition(":")
        if not separator or not key_id.isalnum():
            raise ValueError(f"{setting}: each entry is ID:BASE64, with letters and digits as its id")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{setting}: the key {key_id!r} is not base64") from None
        if len(key) < size:
            raise ValueError(f"{setting}: the key {key_id!r} has {len(key)} bytes; it needs {size}")
        if key_id in keys:
            raise ValueError(f"{setting}: the key id {key_id!r} stands twice")
        keys[key_id] = key
    return keys
