#!/usr/bin/env bash
# Python's own email package (3.11.7 and 3.13.5 tried), EmailMessage with policy SMTP or default.
#
# Thread ids of 77 characters and more (brackets included), which Exchange, Amazon SES and others write, do not survive in
# In-Reply-To and References: the generator takes them for words too long for a line and writes RFC 2047 encoded words,
# which RFC 5322 section 3.6.4 does not know. Whoever receives the answer finds no id in it, and begins a new conversation.
# Message-ID itself is left whole, so that a look at one's own mail shows nothing wrong.
#
# Seen, for an id of 60 characters: all three fields come back as they were given; for one of 90: Message-ID does,
# In-Reply-To and References hold "=?utf-8?q?" and no "<".
set -euo pipefail
python3 - <<'PYTHON'
import email
import email.policy
import sys
from email.message import EmailMessage

seen = {}
for length in (60, 90):
    for policy in (email.policy.SMTP, email.policy.default):
        id_ = f"<{'a' * (length - 12)}@b.example>"
        assert len(id_) == length
        message = EmailMessage(policy=policy)
        for field in ("Message-ID", "In-Reply-To", "References"):
            message[field] = id_
        message.set_content("x")
        read = email.message_from_bytes(message.as_bytes())
        for field in ("Message-ID", "In-Reply-To", "References"):
            value = "".join(read[field].split())
            seen[length, field] = "whole" if value == id_ else "encoded" if "=?utf-8?q?" in value and "<" not in value else "?"
print(sys.version.split()[0], seen)
expected = {(length, field): "whole" for length, field in seen}
expected |= {(90, "In-Reply-To"): "encoded", (90, "References"): "encoded"}
raise SystemExit(0 if seen == expected else 1)
PYTHON
