"""Message-IDs that an accepting server puts in place of ours, where its answer tells. Pure."""

from __future__ import annotations

import re

# Amazon SES: `250 Ok 0100018c...-000000`, and the mail leaves as <0100018c...-000000@email.amazonses.com> from
# us-east-1, as <...@eu-west-1.amazonses.com> from other regions (SES developer guide, "Email header fields").
_SES_HOST = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]{1,30})\.amazonaws\.com", re.IGNORECASE)
_SES_ID = re.compile(r"\bOk ([0-9a-f]{16,40}(?:-[0-9a-f]{1,16}){1,8})\s*\Z", re.IGNORECASE)
_SES_FIRST = "us-east-1"


def replaced_id(host: str, server_reply: str) -> str | None:
    """The Message-ID (without brackets) under which the mail really left, or None: under ours."""
    region = _SES_HOST.fullmatch(host.strip().rstrip("."))
    found = _SES_ID.search(server_reply[-200:]) if region else None
    if region is None or found is None:
        return None
    name = region.group(1).lower()
    return f"{found.group(1)}@{'email' if name == _SES_FIRST else name}.amazonses.com"
