"""Properties of random journeys, histories and clocks, over the memory store and the real passes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.changes import Changes
from orchestrator.core.decide import decide
from orchestrator.core.program import WaitFor, WaitUntilDate, WaitUntilTime, WaitWindow
from orchestrator.core.state import dumps
from orchestrator.core.time.iso import format_instant
from orchestrator.core.view import View
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.turns import TurnCounts, turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from tests.core.spelled import spelled
from tests.in_full import IN_FULL
from tests.small_projects import project_of
from tests.strategies import CUSTOMERS, START, History, delays, histories, projects
from tests.world import Engine, Happening, exactly, ticking

PLENTY = settings(
    max_examples=settings.default.max_examples // (4 if IN_FULL else 6),  # type: ignore[union-attr]
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def loaded(parts: Mapping[str, Any]) -> Iterator[LoadedProject]:
    with TemporaryDirectory() as folder:
        yield project_of(Path(folder), **parts)


def engine_of(project: LoadedProject, history: History, store: Store | None = None, **options: Any) -> Engine:
    """An engine in whose store the customers are."""
    engine = Engine(store or MemoryStore("7"), project, START, **options)
    engine.arrive(history.created)
    return engine


# --- the same inputs, the same decisions ------------------------------------------------------


@PLENTY
@given(projects(outside=True), histories())
def test_the_same_inputs_give_the_same_lines_and_a_repeated_turn_changes_nothing(parts: Any, history: History) -> None:
    with loaded(parts) as project:
        first = exactly(engine_of(project, history), history.happenings, history.until)
        second = exactly(engine_of(project, history, turn=_turn_twice), history.happenings, history.until)
    assert first.lines() == second.lines()
    _check(first, project)


def _turn_twice(store: Store, now: datetime) -> int:
    """Decide the same view twice, and look whether anything is left at this instant once it was saved."""
    view = store.load(now, 1_000)
    if not view.customers:
        return 0
    before = _frozen(view)
    changes = decide(view, now)
    assert _frozen(view) == before, "the view was changed"
    assert _shown(decide(view, now)) == _shown(changes)
    store.save(changes)
    left = store.load(now, 1_000).customers
    assert not left, f"{[view.customer.id for view in left]} are due again at {now}"
    return len(view.customers)


def _frozen(view: View) -> list[Any]:
    return [
        (
            spelled(c.customer),
            [spelled(e) for e in c.enrollments],
            {place: spelled(record) for place, record in c.entries.items()},
            [(m.row.id, m.status, m.opened_at, m.clicked_at) for m in c.messages],
            [spelled(coupon) for coupon in c.coupons],
            [spelled(task) for task in c.tasks],
            [item.seq for item in c.inbox],
        )
        for c in view.customers
    ]


def _shown(changes: Changes) -> list[Any]:
    return [
        (
            c.customer_id, c.consumed, c.next_due_at, c.parked, c.detail, c.taken, c.marks, c.suppress,
            spelled(c.customer) if c.customer is not None else None,
            [spelled(e) for e in c.enrollments],
            {place: spelled(record) for place, record in c.entries.items()},
            [spelled(row) for row in (*c.events, *c.messages, *c.requests, *c.coupons, *c.tasks)],
            [(*t[:8], dumps(t.data), t.enrollment, dumps(t.values)) for t in c.transitions],
        )
        for c in changes.customers
    ]  # fmt: skip


# --- what holds at the end of every history ------------------------------------------------------


def _check(engine: Engine, project: LoadedProject) -> None:
    journal = engine.sorted_journal()
    versions = {(j.id, j.version): j for j in project.project.journeys.values()}
    seen: dict[str, list[Any]] = defaultdict(list)
    for transition in journal:
        if transition.enrollment is not None:
            seen[transition.enrollment].append(transition)
    for id, told in seen.items():
        kinds = [transition.type for transition in told]
        assert kinds.count("entered") == 1, f"{id} was entered {kinds.count('entered')} times"
        ends = [place for place, kind in enumerate(kinds) if kind in ("completed", "exited")]
        assert len(ends) <= 1, f"{id} ended twice: {kinds}"
        if ends:
            program = versions[told[0].journey, told[0].version]
            for after in told[ends[0] + 1 :]:
                step = program.steps[program.by_id[after.step]] if after.step is not None else None
                # What an ended enrollment may still do: its exit's own steps, its goal, and messages on their way.
                assert (
                    after.type in ("goal", "released", "outcome")
                    or (step is not None and step.in_exit)
                    or (after.type in ("suppressed", "message", "held") and after.at == told[ends[0]].at)
                ), (after, kinds)
        _no_wait_ends_early(told, versions)
    rows: list[str] = []
    for customer in CUSTOMERS:
        card = engine.store.card(customer)
        if card is not None:
            assert card.parked is None, card.parked
            rows.extend(message.row.id for message in card.messages)
    assert len(rows) == len(set(rows))
    _nobody_is_forgotten(engine)


def _no_wait_ends_early(told: list[Any], versions: Mapping[Any, Any]) -> None:
    until = None
    for transition in told:
        program = versions[transition.journey, transition.version]
        step = program.steps[program.by_id[transition.step]] if transition.step is not None else None
        if transition.type in ("waiting", "rescheduled"):
            for_time = isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow))
            until = transition.data["until"] if for_time else None
            if until is not None:
                assert until >= transition.at
        elif transition.type in ("exited", "failed"):
            until = None
        elif until is not None and transition.type not in (
            "goal",
            "message",
            "suppressed",
            "released",
            "outcome",
            "held",
        ):
            assert transition.at >= until, (transition, until)
            until = None


def _nobody_is_forgotten(engine: Engine) -> None:
    """Every enrollment has ended, is parked, will be woken, or waits for something to arrive."""
    now = datetime.max.replace(tzinfo=START.tzinfo)
    store = engine.store
    for customer in CUSTOMERS:
        engine.store.ingest([])
        record = store._records[customer]  # type: ignore[attr-defined]
        for e in record.enrollments.values():
            if e.status != "running":
                continue
            if e.due_at is not None:
                assert store.next_due_at() is not None
                assert e.due_at <= now
            else:
                assert e.standing in ("wait", "reply"), (e.step, e.standing)


# --- ticks ------------------------------------------------------


@PLENTY
@given(projects(), histories(consents=False), delays(timedelta(minutes=5)))
def test_any_pattern_of_close_ticks_gives_the_same_decisions(parts: Any, history: History, late_by: list[Any]) -> None:
    with loaded(parts) as project:
        exact = exactly(engine_of(project, history, delivers=False), history.happenings, history.until)
        ticked = ticking(engine_of(project, history, delivers=False), history.happenings, late_by, history.until)
        # The last tick may have come after `until`: let the exact clock see what it saw.
        exactly(exact, (), history.until + timedelta(minutes=5))
        exactly(ticked, (), history.until + timedelta(minutes=5))
    assert _decisions(ticked) == _decisions(exact)
    assert _rows(ticked) == _rows(exact)


@PLENTY
@given(projects(outside=True), histories(), delays(timedelta(hours=30)))
def test_however_late_the_engine_comes_nobody_is_forgotten(parts: Any, history: History, late_by: list[Any]) -> None:
    with loaded(parts) as project:
        engine = ticking(engine_of(project, history), history.happenings, late_by, history.until)
        _check(engine, project)


def _decisions(engine: Engine) -> dict[str, list[Any]]:
    """Per customer what was decided, in order; codes come from a stock that all share."""
    found: dict[str, list[Any]] = defaultdict(list)
    for line in engine.lines():
        line.pop("code", None)
        found[line["customer"]].append(line)
    return found


def _rows(engine: Engine) -> list[Any]:
    found = []
    for customer in CUSTOMERS:
        card = engine.store.card(customer)
        for message in card.messages if card is not None else ():
            row = message.row
            found.append(
                (row.id, row.at, row.channel, row.template, row.to, dumps(row.values), row.expires_at, row.not_after)
            )
    return found


# --- customers do not disturb each other ------------------------------------------------------


@PLENTY
@given(projects(outside=True), histories(), st.randoms(use_true_random=False), st.sampled_from(CUSTOMERS))
def test_customers_do_not_disturb_each_other(parts: Any, history: History, random: Any, poisoned: str) -> None:
    with loaded(parts) as project:
        usual = exactly(engine_of(project, history), history.happenings, history.until)
        shuffled = exactly(engine_of(project, history), _shuffled(history.happenings, random), history.until)
        engine = engine_of(project, history, _Poisoning("7", poisoned))
        with_poison = exactly(engine, history.happenings, history.until)
    assert _decisions(shuffled) == _decisions(usual)
    others = {customer: told for customer, told in _decisions(usual).items() if customer != poisoned}
    spoiled = _decisions(with_poison)
    assert {customer: told for customer, told in spoiled.items() if customer != poisoned} == others
    card = with_poison.store.card(poisoned)
    if any(happening.customer == poisoned for happening in history.happenings):
        assert card is not None and card.parked == "exception"
        spoilt_from = format_instant(START + timedelta(seconds=1))
        assert [line["type"] for line in spoiled[poisoned] if line["at"] >= spoilt_from] == ["failed"]


class _Poisoning(MemoryStore):
    """A store from which one customer's messages and coupons cannot be read, from its first arrival on."""

    def __init__(self, salt: str, poisoned: str) -> None:
        super().__init__(salt)
        self._poisoned = poisoned

    def load(self, now: datetime, budget: int) -> View:
        """The view, with something in it that makes every decision raise."""
        view = super().load(now, budget)
        for customer in view.customers:
            if customer.customer.id == self._poisoned and now > START:
                customer.history = None
                customer.inbox = [item._replace(body=object()) for item in customer.inbox]  # type: ignore[arg-type]
                customer.enrollments = [None]  # type: ignore[list-item]
        return view


def _shuffled(happenings: tuple[Happening, ...], random: Any) -> list[Happening]:
    """Another order between customers; each customer's own stays."""
    mixed = list(happenings)
    random.shuffle(mixed)
    mine = {customer: iter([h for h in happenings if h.customer == customer]) for customer in CUSTOMERS}
    return sorted((next(mine[happening.customer]) for happening in mixed), key=lambda happening: happening.at)


def test_turn_once_counts_nothing_where_nothing_is_due() -> None:
    store = MemoryStore()
    with loaded({"journeys": {}}) as project:
        Engine(store, project, START)
    assert turn_once(store, START) == TurnCounts() and not any(TurnCounts())
