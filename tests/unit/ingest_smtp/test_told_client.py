"""What a front says of its client by XFORWARD and XCLIENT, as Postfix writes it."""

from __future__ import annotations

import pytest
from mailroom_ingest_smtp.told_client import Told, told


def test_attributes_come_in_several_commands() -> None:
    first = told("NAME=mx.b.example ADDR=192.0.2.7 PORT=4711", None)
    assert first == Told("192.0.2.7")
    assert told("PROTO=ESMTP HELO=mail.b.example IDENT=1 SOURCE=REMOTE", first) == Told("192.0.2.7", "mail.b.example")
    assert told("ADDR=IPV6:2001:db8::1", None) == Told("2001:db8::1")
    assert told("helo=a+2Bb addr=192.0.2.7", None) == Told("192.0.2.7", "a+b")
    assert told("ADDR=[UNAVAILABLE]", None) is None
    assert told("ADDR=[UNAVAILABLE]", first) is None
    assert told("NAME=[UNAVAILABLE]", None) is None


@pytest.mark.parametrize(
    "argument", ["ADDR", "ADDR=", "ADDR=nonsense", "=x", "ADDR=1.2.3.4 x", "A DDR=1", "ADDR=192.0.2.7\u00e9"]
)
def test_what_is_none_is_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        told(argument, None)
