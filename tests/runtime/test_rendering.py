"""From a ledger row to its texts: what the project adds to a template on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.index import Index
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.templating.render import Rendered
from tests.small_projects import PROJECT, project_of
from tests.stores.driving import START, arrive, create, event, turns

LINKS = "{% for link in survey.links %}{{ link.score }}={{ link.url }};{% endfor %}"
SCORES = f"---\nsubject: How was it?\n---\n<p>{LINKS}</p>\n"


def rendered(folder: Path, step: dict[str, Any], **parts: Any) -> Rendered:
    """The message of a journey of one step, as it leaves."""
    journey = {"topic": "orders", "enter": {"event": "go"}, "steps": [step]}
    loaded = project_of(folder, {"asks": journey}, **parts)
    store = MemoryStore("7")
    store.deploy(Index(loaded.project), START)
    create(store, "u1")
    arrive(store, "u1", event())
    turns(store, START)
    renderer = LedgerRenderer(loaded.templates, loaded.project, "https://example.com", b"tests")
    [claimed] = store.claim_messages(START, 10)
    return renderer.render(claimed.row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Your order is ready", "Blue Harbour: Your order is ready"),
        ("您的订单已发货", "【Blue Harbour】您的订单已发货"),
        ("Blue harbour: it is ready", "Blue harbour: it is ready"),
        ("【蓝港】您的订单已发货", "【蓝港】您的订单已发货"),
    ],
)
def test_a_text_says_who_sends_it(tmp_path: Path, text: str, expected: str) -> None:
    channels = {**PROJECT["channels"], "sms": {"signature": "Blue Harbour"}}
    out = rendered(tmp_path, {"sms": "note"}, project={"channels": channels}, templates={"sms/note.txt": f"{text}\n"})
    assert out.text.strip() == expected


@pytest.mark.parametrize(
    ("kind", "scores"), [("nps", range(11)), ("csat", range(1, 6)), ("ces", range(1, 8)), ("choice", ()), ("text", ())]
)
def test_a_survey_links_to_the_scores_of_its_kind(tmp_path: Path, kind: str, scores: range) -> None:
    survey: dict[str, Any] = {"name": "stay", "kind": kind, "template": "nps"}
    if kind == "choice":
        survey["choices"] = ["sea", "garden"]
    out = rendered(tmp_path, {"survey": survey}, templates={"email/nps.html": SCORES})
    assert out.html is not None
    links = [entry.split("=", 1) for entry in out.html.split("<p>")[1].split("</p>")[0].split(";") if "=" in entry]
    assert [int(score) for score, _ in links] == list(scores)
    assert all(url.endswith(f"?score={score}") for score, url in links)
