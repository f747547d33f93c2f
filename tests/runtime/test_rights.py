"""The file of people's rights: only ever added to, whatever ends the process that writes it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.inbox import ConsentChanged
from orchestrator.errors import UsageError
from orchestrator.runtime.rights import RightsFile, line_of, replay_rights, rights_since
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from tests.stores.driving import START, arrive, create, index_of, later, turns

STEP = timedelta(days=40)
"""Longer than an erased id is kept out."""


@pytest.fixture
def store() -> Store:
    store = MemoryStore()
    store.deploy(index_of(), START)
    return store


def out(store: Store, customer: str, minutes: float, state: str = "out") -> None:
    arrive(store, customer, ConsentChanged("promotions", "email", state), later(minutes))  # type: ignore[arg-type]
    turns(store, later(minutes))


def kinds(path: Path) -> list[str]:
    return [json.loads(line)["right"] for line in path.read_text().splitlines()]


def test_lines_are_added_once_and_the_file_says_that_it_is_current(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rights.jsonl"
    with RightsFile(path) as file:
        assert file.add_once(store, later(0)) == 0
        out(store, "u1", 1)
        assert file.add_once(store, later(0.5)) == 1
        assert file.add_once(store, later(0.6)) == 0
        assert file.add_once(store, later(2)) == 0
    assert kinds(path) == ["current", "opted_out", "current", "current"]


def test_a_file_is_gone_on_with_and_half_a_line_is_taken_away(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "rights.jsonl"
    out(store, "u1", 1)
    with RightsFile(path) as file:
        file.add_once(store, later(1))
    whole = path.read_text()
    path.write_text(whole + '{"at": "2026-03-0')
    out(store, "u2", 2)
    with RightsFile(path) as file:
        assert file.add_once(store, later(2)) == 1
    assert path.read_text().startswith(whole)
    assert kinds(path).count("opted_out") == 2


def test_what_is_committed_late_is_found(store: Store, tmp_path: Path) -> None:
    """A transaction that wrote its row earlier, and was committed after a look at later ones."""
    path = tmp_path / "rights.jsonl"
    out(store, "u1", 5)
    with RightsFile(path) as file:
        file.add_once(store, later(5))
        rights = store._rights  # type: ignore[attr-defined]
        rights.insert(0, rights[0]._replace(id=1, customer="late", at=later(4)))
        rights[1] = rights[1]._replace(id=2)
        file.add_once(store, later(5))
    assert '"late"' in path.read_text()


def test_the_last_word_counts_and_nothing_is_opened(store: Store) -> None:
    create(store, "u1", "u2", "u3")
    out(store, "u3", 1)

    def line(customer: str, kind: str, minute: int) -> str:
        said = {"at": f"2026-03-02T11:{minute:02}:00Z", "right": kind, "customer": customer}
        return json.dumps({**said, "topic": "promotions", "channel": "email"}) + "\n"

    lines = [
        line("u1", "opted_out", 1),
        line("u2", "opted_out", 2),
        line("u2", "opted_in", 3),
        line("u3", "opted_in", 4),
    ]
    done = replay_rights(store, lines, "file", later(200), None)
    assert (done.lines, done.opted_out) == (4, 1)
    place = ("promotions", "email")
    consents = {c: store.card(c).customer.consents[place] for c in ("u1", "u2", "u3")}  # type: ignore[union-attr]
    assert consents == {"u1": "out", "u2": "in", "u3": "out"}
    assert replay_rights(store, lines, "file", later(200), later(0) + timedelta(days=1)).lines == 0


def test_whoever_was_erased_is_erased_again(store: Store, tmp_path: Path) -> None:
    create(store, "u1", email="Ana@Example.com")
    create(store, "u2")
    store.erase("u1", later(5), later(5), "operator")
    with RightsFile(tmp_path / "rights.jsonl") as file:
        file.add_once(store, later(6))
    lines = (tmp_path / "rights.jsonl").read_text().splitlines(keepends=True)
    assert not any("u1" in line or "ana" in line for line in lines)

    backup = MemoryStore()
    backup.deploy(index_of(), START)
    create(backup, "u1", email="Ana@Example.com")
    create(backup, "u2")
    done = replay_rights(backup, lines, "file", later(60), None)
    assert (done.erased, done.again) == (1, 1)
    assert backup.card("u1") is None and backup.card("u2") is not None
    assert backup.suppressions()["email", "ana@example.com"] == {"suppressed"}
    again = replay_rights(backup, lines, "file", later(60), None)
    assert (again.erased, again.again) == (1, 0)


_DONE = st.lists(st.tuples(st.sampled_from(["come", "out", "erase"]), st.sampled_from(["a", "b", "c"])), max_size=9)


def _live_through(done: list[tuple[str, str]]) -> MemoryStore:
    """A store in which these things happened, one after the other, each when an erased id is free again."""
    store = MemoryStore()
    store.deploy(index_of(), START)
    for number, (what, customer) in enumerate(done):
        at = START + number * STEP
        if what == "erase":
            store.erase(customer, at, at, "operator")
        else:
            create(store, customer, at=at)
            if what == "out":
                arrive(store, customer, ConsentChanged("promotions", "email", "out"), at)
                turns(store, at)
    return store


@settings(max_examples=100, deadline=None)
@given(_DONE, st.data())
def test_replaying_erases_those_of_the_backup_and_nobody_who_came_back(
    done: list[tuple[str, str]], data: st.DataObject
) -> None:
    lines = [line_of(right) + "\n" for right in rights_since(_live_through(done), None)]
    kept = data.draw(st.integers(0, len(done)))
    backup = _live_through(done[:kept])
    at = START + len(done) * STEP
    expected = set()
    for customer in "abc":
        erased = [n for n, (what, who) in enumerate(done) if (what, who) == ("erase", customer)]
        since = [what for n, (what, who) in enumerate(done) if who == customer and n > max(erased, default=-1)]
        if backup.card(customer) is not None:
            if all(n < kept for n in erased):
                expected.add(customer)
        elif "out" in since:
            expected.add(customer)
    again = sum(backup.card(customer) is not None and customer not in expected for customer in "abc")
    assert replay_rights(backup, lines, "file", at, None).again == again
    assert set(backup._records) == expected
    turns(backup, at)
    assert replay_rights(backup, lines, "file", at, None).again == 0
    assert set(backup._records) == expected


def test_choices_before_an_erasure_close_nothing_for_whoever_came_back(store: Store) -> None:
    create(store, "u1")
    out(store, "u1", 1)
    before = [line_of(right) + "\n" for right in rights_since(store, None)]
    store.erase("u1", later(5), later(5), "operator")
    lines = [*before, *(line_of(right) + "\n" for right in rights_since(store, None))]
    create(store, "u1", at=START + STEP)
    assert replay_rights(store, lines, "file", START + STEP, None).again == 0
    card = store.card("u1")
    assert card is not None and card.customer is not None
    assert card.customer.consents["promotions", "email"] == "in"


def test_an_address_that_was_hashed_since_is_not_spelt_out_again(store: Store) -> None:
    create(store, "u1", email="ana@example.com")
    store.suppress([("email", "ana@example.com", "complained")], START)
    before = [line_of(right) + "\n" for right in rights_since(store, None)]
    store.erase("u1", later(5), later(5), "operator")
    lines = [*before, *(line_of(right) + "\n" for right in rights_since(store, None))]
    fresh = MemoryStore()
    fresh.deploy(index_of(), START)
    replay_rights(fresh, lines, "file", later(9), None)
    assert fresh.suppressions()["email", "ana@example.com"] == {"complained", "suppressed"}
    assert not any("ana" in entry.address for entry in fresh.suppressed(("", "", ""), 10))


def test_a_line_may_name_whom_another_tool_erased(store: Store) -> None:
    create(store, "u1")
    line = '{"at": "2026-03-02T11:00:00Z", "right": "erased", "customer": "u1"}\n'
    done = replay_rights(store, [line], "file", later(60), None)
    assert (done.erased, done.again) == (1, 1)
    assert store.card("u1") is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no json\n", "no line of a rights file"),
        ('{"right": "opted_out"}\n', "no line of a rights file"),
        ('{"at": "yesterday", "right": "current"}\n', "expected an instant with a zone"),
        ('{"at": "2026-03-02T11:00:00Z", "right": "suppressed", "channel": 7}\n', "lacks channel, address, cause"),
        ('{"at": "2026-03-02T11:00:00Z", "right": "forgiven"}\n', "no line of a rights file"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_place(store: Store, line: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"file:1: .*{why}"):
        replay_rights(store, [line, "\n"], "file", later(0), None)
