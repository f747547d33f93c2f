"""`orchestrator graph`: three forms of one picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any


def test_svg_is_the_default(cli: Any, project: Path) -> None:
    done = cli("graph", "welcome")
    assert done.code == 0 and done.err == ""
    assert ElementTree.fromstring(done.out).tag.endswith("svg")
    assert cli("graph", "welcome", "--output", "w.svg").out == ""
    assert Path("w.svg").read_text("utf-8") == done.out


def test_mermaid(cli: Any, project: Path) -> None:
    assert cli("graph", "after_purchase", "--format", "mermaid").out == (
        Path(__file__).parent / "golden" / "after_purchase.mmd"
    ).read_text("utf-8")


def test_json(cli: Any, project: Path) -> None:
    done = cli("graph", "journeys/welcome.yaml", "--json")
    graph = done.json
    assert graph == cli("graph", "welcome", "--format", "json").json
    assert graph["journey"] == "welcome" and graph["title"] == "Welcome"
    ids = {node["id"] for node in graph["nodes"]}
    assert {"@entry_1", "email_1", "coupon_1", "@completed"} <= ids
    assert all(edge["from"] in ids and edge["to"] in ids for edge in graph["edges"])
    assert [rule["kind"] for rule in graph["rules"]] == ["exit", "goal"]


def test_what_cannot_be_drawn(cli: Any, project: Path) -> None:
    done = cli("graph", "welcom")
    assert done.code == 2 and "did you mean 'welcome'?" in done.err
    assert cli("graph", "welcome", "--json", "--format", "svg").code == 2
    Path("journeys/broken.yaml").write_text("journey: broken\nsteps: 3\n")
    done = cli("graph", "broken")
    assert done.code == 1 and "journeys/broken.yaml:" in done.err
