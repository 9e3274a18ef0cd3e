from __future__ import annotations


def test_smoke(intake):
    with intake.client() as client:
        answer = client.sendmail("jo@customer.example", ["support@acme.example"], b"Subject: hi\r\nFrom: jo@customer.example\r\n\r\nhello\r\n")
        assert answer == {}
    events = intake.received()
    assert [e.content.subject for e in events] == ["hi"]
    assert intake.blob(events[0].raw.key) == b"Subject: hi\r\nFrom: jo@customer.example\r\n\r\nhello\r\n"
