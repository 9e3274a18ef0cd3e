"""Our DMARC beside npm's mailauth 7.1.0, the second implementation of RFC 9989, over zones that nobody wrote by hand.

Long and from the network (npm), so it is part of `make test-all` alone.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mailroom_mail.trust.dmarc import discover, evaluate, organisation
from mailroom_mail.trust.verdict_records import DkimVerdict
from support.authorities import as_given

HERE = Path(__file__).parent
VERSION = "7.1.0"
COUNT = 5_000
TAGS = [
    "p=none", "p=quarantine", "p=reject", "p=REJECT", "p=block", "sp=none", "sp=reject", "sp=block", "np=reject", "np=none", "psd=y",
    "psd=n", "psd=u", "t=y", "t=n", "aspf=s", "adkim=s", "rua=mailto:d@a.test", "rua=nonsense", "pct=0", "x=1", "fo",
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here")]


def zone(dice: random.Random) -> dict[str, Any]:
    def name(most: int) -> str:
        return ".".join([*(dice.choice("ab") for _ in range(dice.randint(0, most))), dice.choice(["test", "co.test"])])

    def record() -> str:
        version = dice.choice(["v=DMARC1"] * 8 + ["v=dmarc1", "v = DMARC1", "v=DMARC2", "V=DMARC1"])
        return ";".join([version, *(dice.choice(["", " "]) + dice.choice(TAGS) for _ in range(dice.randint(0, 4)))])

    domain = name(9)
    above = domain.split(".")
    ours = [".".join(above[at:]) for at in range(len(above))]
    txt = {
        f"_dmarc.{dice.choice([*ours, name(4)])}": [record() for _ in range(dice.choice([1, 1, 1, 2]))]
        for _ in range(dice.randint(0, 4))
    }
    exist = [one for one in ours[:1] if dice.random() < 0.6]
    other = dice.choice([*ours, f"c.{dice.choice(ours)}", name(4)])
    return {
        "txt": txt, "exist": exist, "domain": domain,
        "spf": other if dice.random() < 0.6 else None, "dkim": dice.choice([None, *ours, f"d.{domain}"]),
    }  # fmt: skip


def ours(row: dict[str, Any]) -> dict[str, Any]:
    def texts(name: str) -> list[str]:
        found: list[str] = row["txt"].get(name, [])
        return found

    def exists(name: str) -> bool:
        return any(one == name or one.endswith("." + name) for one in (*row["exist"], *row["txt"]))

    policy = discover(row["domain"], texts, exists)
    dkim = [DkimVerdict(row["dkim"], "pass")] if row["dkim"] else []
    result = evaluate(
        policy, "pass" if row["spf"] else "none", row["spf"] or "", dkim, lambda name: organisation(name, texts)
    )
    return {"result": result, "policy": policy.asked}


@pytest.mark.timeout(600)
def test_same_verdict_and_policy(tmp_path: Path) -> None:
    try:
        subprocess.run(["npm", "init", "-y"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", f"mailauth@{VERSION}"],
            cwd=tmp_path,
            env=as_given(),
            check=True,
            capture_output=True,
            timeout=400,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"mailauth {VERSION} cannot be installed: {error}")
    shutil.copy(HERE / "mailauth_dmarc.js", tmp_path)
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    rows = [zone(dice) for _ in range(COUNT)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run(
        ["node", "mailauth_dmarc.js"],
        cwd=tmp_path,
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(theirs) == COUNT
    different = [(row, mine, other) for row, other in zip(rows, theirs, strict=True) if (mine := ours(row)) != other]
    assert not different, f"seed {seed}: {len(different)} of {COUNT}, the first: {different[0]}"
    assert {one["result"] for one in theirs} == {"pass", "fail", "none"}
