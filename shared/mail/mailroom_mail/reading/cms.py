"""S/MIME's container (CMS, RFC 5652 and RFC 8551): what is signed or packed in it is taken out, BER or DER, bounded.

Signatures are not judged: whose key it is, and whether anybody trusts it, cannot be known here.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from asn1crypto import cms

from .defect_names import add

TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
MAX_INFLATED = 64 << 20  # bytes of a compressed message
_MOST_RECIPIENTS = 50
_SEALED = frozenset({"enveloped_data", "authenticated_enveloped_data", "encrypted_data", "signed_and_enveloped_data"})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a container holds: `content` are the bytes of the entity within (None where it is encrypted or there is
    none), `recipients` name the certificates that it is encrypted for."""

    kind: str  # signed | packed | encrypted
    content: bytes | None
    recipients: tuple[str, ...] = ()


def read(data: bytes, defects: list[str]) -> Opened | None:
    """Open one container; None, with the defect `bad-cms`, where it is none."""
    try:
        return _read(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, zlib.error):
        # asn1crypto reads lazily and says so by many errors; a container that cannot be read stays a file
        add(defects, "bad-cms")
        return None


def _read(data: bytes) -> Opened | None:
    info = cms.ContentInfo.load(data)
    kind = info["content_type"].native
    content = info["content"]
    if kind == "signed_data":
        inner = content["encap_content_info"]["content"]
        found = inner.native if inner is not None else None
        return Opened("signed", found if isinstance(found, bytes) else None)
    if kind == "data":
        found = content.native
        return Opened("packed", found) if isinstance(found, bytes) else None
    if kind == "compressed_data":
        packed = content["encap_content_info"]["content"].native
        inflater = zlib.decompressobj()
        inflated = inflater.decompress(packed, MAX_INFLATED)
        return Opened("packed", inflated)
    if kind in _SEALED:
        infos = content["recipient_infos"] if kind != "encrypted_data" else []
        names = [_recipient(one) for _, one in zip(range(_MOST_RECIPIENTS), infos, strict=False)]
        return Opened("encrypted", None, tuple(dict.fromkeys(name for name in names if name)))
    return None


def _recipient(info: cms.RecipientInfo) -> str:
    """A certificate as people can find it: its serial number and who issued it, or its key's identifier."""
    chosen = info.chosen
    if info.name == "ktri":
        who = chosen["rid"]
    elif info.name == "kari":
        who = chosen["recipient_encrypted_keys"][0]["rid"]
    else:
        return ""
    if who.name == "issuer_and_serial_number":
        issuer = who.chosen["issuer"].native
        name = issuer.get("common_name") or issuer.get("organization_name") or "unknown"
        return f"certificate {who.chosen['serial_number'].native:X} of {name}"
    native = who.chosen.native
    key = native if isinstance(native, bytes) else native.get("subject_key_identifier", b"")
    return f"key {key.hex().upper()}" if key else ""
