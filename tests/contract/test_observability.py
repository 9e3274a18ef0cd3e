"""Alerts and dashboard name metrics that the services really have, and every alert is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = yaml.safe_load((ROOT / "deploy" / "grafana" / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
NAME = re.compile(r"mailroom_[a-z_]+")
SUFFIXES = ("_bucket", "_sum", "_count")


def declared() -> dict[str, set[str]]:
    """Each metric in the code with its labels."""
    found: dict[str, set[str]] = {}
    call = re.compile(
        r"metrics\.(?:counter|gauge|histogram)\(\s*\"(mailroom_[a-z_]+)\",\s*\"[^\"]*\"(?:,\s*\[([^\]]*)\])?", re.DOTALL
    )
    for folder in ("services", "shared"):
        for path in (ROOT / folder).rglob("*.py"):
            for name, labels in call.findall(path.read_text()):
                found.setdefault(name, set()).update(re.findall(r"\"([a-z_]+)\"", labels))
    return found


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return panels + [rule["expr"] for rule in RULES]


def test_every_metric_and_label_exists() -> None:
    known = declared()
    assert len(known) > 20
    for expression in expressions():
        names = NAME.findall(expression)
        assert names, expression
        labels: set[str] = set()
        for name in names:
            for suffix in SUFFIXES:
                name = name.removesuffix(suffix)
            assert name in known, f"{name} in {expression!r} is no metric of ours"
            labels |= known[name]
        for group in re.findall(r"by \(([^)]*)\)", expression):
            for label in (part.strip() for part in group.split(",")):
                assert label in labels | {"le"}, f"{label} in {expression!r}"


def test_every_alert_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for rule in RULES:
        assert f"### {rule['alert']}" in page, rule["alert"]
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
