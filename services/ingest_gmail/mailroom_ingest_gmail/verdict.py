"""Google's own sender authentication: it received the mail, so its Authentication-Results are taken (RFC 8601)."""

from __future__ import annotations

import re

from mailroom_contracts import DkimResult, Verdicts
from mailroom_mail.trust.front_fields import front_fields, header_block
from mailroom_mail.trust.trusted_results import trusted_results

GOOGLE = ("mx.google.com",)
_RETURN_PATH = re.compile(rb"^Return-Path:\s*<([^>\r\n]*)>", re.IGNORECASE | re.MULTILINE)


def of_google(raw: bytes) -> tuple[str | None, Verdicts]:
    """Return path ("" for the null path, None when there is none) and verdicts of a mail from a Gmail inbox."""
    found = _RETURN_PATH.search(header_block(raw))
    return_path = found[1].decode("utf-8", "replace").strip() if found else None
    said = trusted_results(front_fields(raw, lambda _: False), GOOGLE)
    if said is None:
        return return_path, Verdicts(source="none")
    return return_path, Verdicts(
        spf=said.spf or "none",
        spf_domain=said.spf_domain,
        dkim=[DkimResult(domain=d.domain, result=d.result, selector=d.selector) for d in said.dkim or ()],
        dmarc=said.dmarc or "none",
        dmarc_policy=said.dmarc_policy,
        arc=said.arc or "none",
        arc_domain=said.arc_domain,
        source=GOOGLE[0],
    )
