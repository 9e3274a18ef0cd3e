"""Coverage-guided fuzzing of the reader: `python tests/fuzz/atheris_read.py [seconds]` (default 30).

Exits with status 0 when nothing raised, nothing took more than 2 s and both readers agreed wherever the fast one answered.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mailroom_mail"]):
    from mailroom_mail import classify, extract_reply, read
    from mailroom_mail.reading import careful, fast

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


def one_input(data: bytes) -> None:
    """Anything that escapes is a finding."""
    mail = read(data)
    assert not any(defect.startswith("reader-failed") for defect in mail.defects), mail.defects
    for value in (mail.subject, mail.text, mail.html or ""):
        value.encode("utf-8")
    found = fast.read(data)
    assert found is None or found == careful.read(data)
    classify(mail)
    extract_reply(mail)


def main() -> None:
    """Run for the seconds given; the corpora are the seeds."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seeds = [str(folder) for folder in sorted(CORPORA.iterdir()) if folder.is_dir()] if CORPORA.is_dir() else []
    import tempfile

    with tempfile.TemporaryDirectory() as found:
        arguments = [
            sys.argv[0],
            found,
            *seeds,
            f"-max_total_time={seconds}",
            "-timeout=2",
            "-rss_limit_mb=2048",
            "-max_len=20000",
            "-print_final_stats=1",
            f"-artifact_prefix={found}/",
        ]
        atheris.Setup(arguments, one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
