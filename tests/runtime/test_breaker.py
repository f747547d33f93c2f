"""A template that cannot be filled stops its message; past the bound it pauses its journey, and loses nothing more."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.definitions.load import load_project
from orchestrator.definitions.scenario_items import CustomerSpec, EventItem, Scenario
from orchestrator.runtime.breaker import MOST_RENDER_ERRORS
from orchestrator.testing.scenario_run import simulate_scenario

FILES = {
    "journeys/project.yaml": "timezone: UTC\ntopics:\n  care: {class: service}\nbrand: {name: B, address: A}\n",
    "journeys/schema.yaml": "customer:\n  nick: {type: string}\nevents:\n  bought:\n    n: {type: integer}\n",
    "journeys/thanks.yaml": "journey: thanks\ntopic: care\nenter: {event: bought}\nsteps:\n  - email: hello\n",
    "templates/email/hello.html": "---\nsubject: Hi\n---\n<p>Hi {{ customer.nick }},</p>\n",
}
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_person_never_gets_hi_comma_and_the_journey_pauses_past_the_bound(tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    people = tuple(CustomerSpec(id=f"c{n:03}", email=f"c{n}@example.com") for n in range(MOST_RENDER_ERRORS + 20))
    late = START.replace(hour=13)
    timeline = tuple(EventItem(at=START, order=n, customer=spec.id, name="bought") for n, spec in enumerate(people))
    after = EventItem(at=late, order=999, customer="c000", name="bought", message_id="again")
    lines: list[dict[str, object]] = []
    simulate_scenario(load_project(tmp_path), Scenario(START, None, None, people, (), (*timeline, after)), lines.append)
    reasons = Counter(line.get("reason") for line in lines if line["type"] in ("suppressed", "refused"))
    assert reasons == {"render_error": MOST_RENDER_ERRORS, "paused": 1}
    assert not [line for line in lines if line["type"] == "message"]
