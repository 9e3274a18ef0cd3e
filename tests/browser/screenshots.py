"""`make screenshots`: every page of a fresh, furnished stack, at desktop and phone width, into docs/screenshots."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from support.processes import REPOSITORY
from support.stacks import Stack

from .chromium import chromium
from .places import furnish, places
from .scenes import scenes
from .standing_stack import StandingStack

TARGET = REPOSITORY / "docs" / "screenshots"
_PHONE = ("tickets", "ticket", "addresses", "address", "activity")
_DARK = ("tickets", "ticket")


def main() -> int:
    """Take them all; `--stack FOLDER` uses a stack that runs already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", type=Path, default=os.environ.get("MAILROOM_BROWSER_STACK"))
    given = parser.parse_args().stack
    if given is not None:
        take(StandingStack(Path(given)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            up = stack.call("up", timeout=280)
            if up.returncode:
                sys.stderr.write(up.stdout[-2000:] + up.stderr[-2000:])
                return 1
            take(StandingStack(stack.data))
        finally:
            stack.remove()
    return 0


def take(site: StandingStack) -> None:
    """The pictures."""
    ids = furnish(site)
    TARGET.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for size, scheme, names in (("desktop", "light", None), ("phone", "light", _PHONE), ("desktop", "dark", _DARK)):
            page, _ = site.desk(browser, size=size, scheme=scheme)
            for place in places(ids):
                if names is not None and place.name not in names:
                    continue
                page.goto(place.path)
                page.wait_for_load_state()
                page.wait_for_timeout(400)  # frames find their height, the heartbeat shows
                mark = "" if (size, scheme) == ("desktop", "light") else f"-{size if scheme == 'light' else scheme}"
                page.screenshot(path=TARGET / f"{place.name}{mark}.png")
            page.context.close()
        for scene in scenes(ids):
            page, _ = site.desk(browser, size=scene.size, scheme=scene.scheme, language=scene.language)
            page.goto(scene.path)
            page.wait_for_load_state()
            page.wait_for_timeout(400)
            scene.act(page)
            # a window as high as the page: what sticks to the window's edges stands where it belongs
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": page.viewport_size["width"], "height": max(height, 600)})
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(400)
            page.screenshot(path=TARGET / f"{scene.name}.png")
            page.context.close()


if __name__ == "__main__":
    sys.exit(main())
