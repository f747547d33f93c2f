"""Consent that a law takes as given for a time, and what happens when consent ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.null import NullChannel
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.definitions.load import load_project
from orchestrator.runtime.delivery import deliver_once
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_files, write_files
from tests.stores.driving import START, arrive, event, index_of, later, lines, turns

CANADA: dict[str, Any] = {"compliance": {"ca": {"implied_by": {"purchase": "bought", "inquiry": ["ping", "pong"]}}}}
OFFERS = {"topic": "promotions", "enter": {"event": "go", "reentry": "always"}, "steps": [{"email": "hello"}]}
HEARS = {
    "enter": {"event": "consent_changed", "where": "event.state == 'expired'", "reentry": "always"},
    "steps": [{"wait": "1h"}],
}
PLACE = ("promotions", "email")
TWO_YEARS = START.replace(year=2028)


def store_of(country: str | None = "CA", **traits: Any) -> MemoryStore:
    store = MemoryStore()
    store.deploy(index_of({"sells": OFFERS, "hears": HEARS}, project=CANADA), START)
    arrive(store, "u1", Identified({"email": "u1@example.com", "country": country, **traits}, silent=True))
    turns(store, START)
    return store


def happens(store: MemoryStore, name: str, at: Any = START) -> None:
    arrive(store, "u1", event(name, at), at)
    turns(store, at)


def consents(store: MemoryStore) -> dict[str, Any]:
    """What holds by email: its state and the instant that belongs to it."""
    card = store.card("u1")
    assert card is not None and card.customer is not None
    return {"state": card.customer.consents.get(PLACE), "date": card.customer.consent_dates.get(PLACE)}


def test_a_purchase_implies_consent_for_two_years_and_an_inquiry_for_half_a_year() -> None:
    store = store_of()
    happens(store, "ping")
    assert consents(store) == {"state": "in", "date": START.replace(month=9)}
    happens(store, "bought")
    assert consents(store) == {"state": "in", "date": TWO_YEARS}
    happens(store, "pong", later(1))
    assert consents(store) == {"state": "in", "date": TWO_YEARS}, "the nearer end moves nothing"
    rows = [row for row in store.consent_log("u1") if row.channel == "email"]
    assert {row.source for row in rows} == {"implied"}
    assert [row.expires_at for row in rows] == [START.replace(month=9), TWO_YEARS]
    assert rows[1].proof is not None and (rows[1].proof["event"], rows[1].proof["given_by"]) == ("bought", "purchase")
    assert {row.channel for row in store.consent_log("u1")} == {"email", "sms"}


@pytest.mark.parametrize(
    ("country", "traits"),
    [
        (None, {}),
        ("US", {}),
        ("CA", {"phone": "+351912345678"}),
        ("PT", {"phone": "+14165550123"}),
        ("Cloud nine", {"phone": "+14165550123"}),
    ],
)
def test_where_another_law_may_hold_nothing_is_implied(country: str | None, traits: dict[str, Any]) -> None:
    store = store_of(country, **traits)
    happens(store, "bought")
    assert consents(store)["state"] is None and not store.consent_log("u1")


@pytest.mark.parametrize("country", ["ca", "CAN", "Canada", "加拿大"])
def test_a_country_is_read_as_quiet_hours_read_it(country: str) -> None:
    store = store_of(country)
    happens(store, "bought")
    assert consents(store) == {"state": "in", "date": TWO_YEARS}


def test_it_opens_nothing_that_is_out_and_ends_nothing_that_has_no_end() -> None:
    for state in ("out", "in"):
        store = store_of()
        arrive(store, "u1", ConsentChanged(*PLACE, state, "page"))  # type: ignore[arg-type]
        turns(store, START)
        happens(store, "bought", later(1))
        assert consents(store)["state"] == state and consents(store)["date"] != TWO_YEARS


def test_a_double_opt_in_still_asks() -> None:
    topics = {"promotions": {"class": "promotional", "opt_in": "double"}}
    index = index_of({"sells": OFFERS}, project={**CANADA, "topics": topics})
    assert all(rule.places == () for rule in index.project.implied)


def test_the_end_leaves_a_row_and_journeys_see_it() -> None:
    store = store_of()
    happens(store, "bought")
    assert store.next_due_at() == TWO_YEARS
    happens(store, "go", TWO_YEARS - timedelta(seconds=1))
    assert [message.row.journey for message in store.latest_messages(9)] == ["sells"]
    store.drain_journal()
    turns(store, TWO_YEARS)
    assert consents(store) == {"state": "expired", "date": TWO_YEARS}
    row = [row for row in store.consent_log("u1") if row.channel == "email"][-1]
    assert (row.state, row.at, row.noted_at, row.expires_at) == ("expired", TWO_YEARS, TWO_YEARS, TWO_YEARS)
    told = lines(store)
    assert [line["journey"] for line in told if line["type"] == "entered"] == ["hears"]
    happens(store, "go", TWO_YEARS + timedelta(hours=1))
    assert [line["reason"] for line in lines(store) if line["type"] == "suppressed"] == ["no_consent"]
    assert not _timers(store)


def test_the_claim_asks_again() -> None:
    store = store_of()
    happens(store, "bought")
    at = TWO_YEARS - timedelta(seconds=1)
    happens(store, "go", at)
    counts = deliver_once(store, {"email": NullChannel()}, _Renderer(), TWO_YEARS)
    assert counts.suppressed == 1 and counts.handed_over == 0
    assert [line["reason"] for line in lines(store) if line["type"] == "suppressed"] == ["no_consent"]


class _Renderer:
    def render(self, row: Any) -> Any:
        raise AssertionError("nothing is handed over")


def test_repeated_traits_resurrect_nobody_and_a_new_purchase_or_choice_does() -> None:
    store = store_of()
    happens(store, "ping")
    ended = START.replace(month=9)
    turns(store, ended)
    arrive(store, "u1", Identified({"consents": {"promotions": {"email": "in"}}}), ended)
    turns(store, ended)
    assert consents(store)["state"] == "expired"
    assert [row.refused for row in store.consent_log("u1") if row.channel == "email"][-1] == "expired"
    happens(store, "bought", ended + timedelta(days=1))
    assert consents(store)["state"] == "in"
    arrive(store, "u1", ConsentChanged(*PLACE, "in", "page"), ended + timedelta(days=2))
    turns(store, ended + timedelta(days=2))
    assert consents(store) == {"state": "in", "date": None}, "that has no end"
    assert [row.due_at for row in _timers(store)] == [(ended + timedelta(days=1)).replace(year=2028)]


def _timers(store: MemoryStore) -> list[Any]:
    card = store.card("u1")
    assert card is not None and card.customer is not None
    return [timer for (kind, _), timer in card.customer.timers.items() if kind == "consent"]  # that of sms


@given(st.lists(st.tuples(st.sampled_from(["bought", "ping", "out", "page", "wait"]), st.integers(1, 400)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_consent_holds_exactly_as_long_as_something_gives_it(steps: list[tuple[str, int]]) -> None:
    store, at = store_of(), START
    ends: Any = None
    state = None
    for what, days in steps:
        at += timedelta(days=days)
        if what in ("bought", "ping"):
            happens(store, what, at)
            months = 24 if what == "bought" else 6
            until = _months(at, months)
            alive = state == "in" and (ends is None or ends > at)
            if state != "out" and not (alive and ends is None):
                state, ends = "in", max(until, ends) if alive else until
        elif what == "out":
            arrive(store, "u1", ConsentChanged(*PLACE, "out", "page"), at)
            state, ends = "out", None
        elif what == "page":
            arrive(store, "u1", ConsentChanged(*PLACE, "in", "page"), at)
            state, ends = "in", None
        turns(store, at)
        wanted = "expired" if state == "in" and ends is not None and ends <= at else state
        assert consents(store)["state"] == wanted
    rows = [row for row in store.consent_log("u1") if row.channel == "email" and row.state == "expired"]
    assert len({row.at for row in rows}) == len(rows), "each end is told once"


def _months(at: Any, months: int) -> Any:
    from calendar import monthrange

    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"ca": {"implied_by": {"purchase": "bougt"}}}, "there is no event 'bougt'; did you mean 'bought'?"),
        ({"uk": {"implied_by": {"inquiry": "ping"}}}, "the pack 'uk' knows no consent by inquiry"),
        ({"ca": {"implied_by": {"purchases": "ping"}}}, "purchase"),
    ],
)
def test_what_cannot_imply_consent(tmp_path: Path, words: dict[str, Any], said: str) -> None:
    files = project_files({"sells": OFFERS}, project={"compliance": words})
    problems = load_project(write_files(tmp_path, files)).problems
    assert any(said in f"{p.message}; {p.hint}" for p in problems), [f"{p.message}; {p.hint}" for p in problems]
