"""Reply text against the libraries that others use, on every corpus of replies: one table.

    python tests/bench/reply_corpora.py [CORPORA] [--write docs/reply-text.md]

Each library is given the same text (ours the whole mail) and scored by compare.py of the corpora. The last row is seconds
for all mails of all sets.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from email_reply_parser import EmailReplyParser
from mailparser_reply import EmailReplyParser as MailParserReply
from mailroom_mail import Mail, extract_reply, read

ROOT = Path(__file__).parents[2]
LANGUAGES = [
    "en",
    "de",
    "fr",
    "es",
    "it",
    "nl",
    "pl",
    "ja",
    "da",
    "sv",
    "cs",
    "he",
    "ko",
    "no",
    "pt",
    "fi",
    "zh",
    "ru",
    "vi",
]
START, END = "<!-- table: written by tests/bench/reply_corpora.py -->", "<!-- end of table -->"


def compare_module(corpora: Path) -> Any:
    spec = importlib.util.spec_from_file_location("corpora_compare", corpora / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def known_languages() -> list[str]:
    from mailparser_reply.constants import MAIL_LANGUAGES  # the languages that it has rules for

    return [language for language in LANGUAGES if language in MAIL_LANGUAGES]


def libraries() -> dict[str, Callable[[Mail], str]]:
    languages = known_languages()
    return {
        "Mailroom": lambda mail: extract_reply(mail).text,
        "email-reply-parser": lambda mail: EmailReplyParser.parse_reply(mail.text),
        "mail-parser-reply": lambda mail: MailParserReply(languages=languages).parse_reply(text=mail.text) or "",
    }


def measure(corpora: Path) -> tuple[list[str], dict[str, dict[str, tuple[int, int]]], dict[str, float]]:
    """Rows (set and field), each library's hits of how many, and each library's seconds."""
    compare = compare_module(corpora)
    scores: dict[str, dict[str, tuple[int, int]]] = {}
    seconds: dict[str, float] = {}
    rows: list[str] = []
    sets = [
        path
        for path in sorted(corpora.iterdir())
        if path.name.startswith("reply-") and (path / "expect.jsonl").exists()
    ]
    for name, extract in libraries().items():
        scores[name] = {}
        seconds[name] = 0.0
        for folder in sets:
            results = []
            for path in sorted(folder.glob("*.eml")):
                mail = read(path.read_bytes())
                start = time.process_time()
                reply = extract(mail)
                seconds[name] += time.process_time() - start
                results.append({"file": path.name, "text": mail.text, "reply_text": reply})
            table, _ = compare.compare(results, compare.rd(folder / "expect.jsonl"))
            for field in table.n:
                if field.startswith("reply"):
                    key = f"{folder.name} {field}"
                    scores[name][key] = (table.ok[field], table.n[field])
                    if key not in rows:
                        rows.append(key)
    return rows, scores, seconds


def totals(rows: list[str], score: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Hits of how many for each set, all fields together."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        hits, of = score[row]
        name = row.split(" ")[0]
        found[name] = (found.get(name, (0, 0))[0] + hits, found.get(name, (0, 0))[1] + of)
    return found


def table(rows: list[str], scores: dict[str, dict[str, tuple[int, int]]], seconds: dict[str, float]) -> str:
    names = list(scores)
    lines = ["| set and field | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines += [
        f"| {row} | " + " | ".join(f"{scores[name][row][0]} of {scores[name][row][1]}" for name in names) + " |"
        for row in rows
    ]
    sums = {name: totals(rows, scores[name]) for name in names}
    lines += [
        f"| **{one}, all fields** | "
        + " | ".join(f"**{sums[name][one][0]} of {sums[name][one][1]}**" for name in names)
        + " |"
        for one in sums[names[0]]
    ]
    lines.append("| seconds for all mails | " + " | ".join(f"{seconds[name]:.2f}" for name in names) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    target = Path(arguments[arguments.index("--write") + 1]) if "--write" in arguments else None
    places = [Path(one) for one in arguments if not one.startswith("--") and (target is None or Path(one) != target)]
    corpora = places[0] if places else ROOT.parent / "shared" / "corpora"
    rows, scores, seconds = measure(corpora)
    written = table(rows, scores, seconds)
    print(written)
    if target is not None:
        page = target.read_text("utf-8")
        target.write_text(
            re.sub(
                f"{re.escape(START)}.*{re.escape(END)}", lambda _: f"{START}\n{written}\n{END}", page, flags=re.DOTALL
            ),
            "utf-8",
        )
    sums = {name: totals(rows, scores[name]) for name in scores}
    behind = [
        one
        for name in sums
        if name != "Mailroom"
        for one in sums[name]
        if sums[name][one][0] > sums["Mailroom"][one][0]
    ]
    print(
        json.dumps(
            {
                "worse_on": sorted(set(behind)),
                "scores": {name: {one: list(value) for one, value in sums[name].items()} for name in sums},
            }
        )
    )
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
