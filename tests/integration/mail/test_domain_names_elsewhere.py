"""Our form of a domain name beside another program's: Node's URL parser has a UTS 46 of its own."""

from __future__ import annotations

import json
import random
import subprocess

from mailroom_mail import ascii_domain

_NODE = """
const { domainToASCII } = require("node:url");
const names = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(names.map((name) => domainToASCII(name))));
"""
# letters whose mapping differs between the versions of IDNA or depends on their neighbours, and ordinary ones
# (but no capital ẞ: Unicode 15.1 changed its mapping from ss to ß)
_LETTERS = "ßςσΣäÄöüéœŒıİiIłøñçﬁﬀ\u00ad\u200c\u200d\u0308\u0301क्षශරীアア゙ガ日本語。．､文字알عبאבгжЖѐ１Ａ❤☕🎉²½_-.abz09"


def test_no_other_domain_is_asked_for_than_a_browser_would() -> None:
    draw = random.Random(46)  # the same names every time
    names = ["".join(draw.choices(_LETTERS, k=draw.randint(1, 9))) + ".example" for _ in range(6000)]
    told = subprocess.run(
        ["node", "-e", _NODE], input=json.dumps(names), capture_output=True, text=True, check=True, timeout=60
    )
    agreed = 0
    for name, theirs in zip(names, json.loads(told.stdout), strict=True):
        try:
            ours = ascii_domain(name)
        except ValueError:
            continue
        if theirs:  # where a browser finds no name, none of anybody's is met
            assert ours == theirs, name
            agreed += 1
    assert agreed > 1000
