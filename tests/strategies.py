"""Random small worlds: journeys as they are written in YAML, what happens to a few customers, and ticks of a clock.

The journeys are valid by construction (the real compiler reads them) and cannot feed each other for ever: what a step
tracks enters nobody, and journeys enroll only into those that come after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from orchestrator.core.inbox import ConsentChanged, Identified, Receipt
from orchestrator.runtime.ingest import Incoming
from tests.world import Happening

START = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The day before the clocks change in Europe."""
CUSTOMERS = ("u1", "u2", "u3")
ZONES = ("Europe/Lisbon", "Asia/Shanghai", "America/St_Johns", "Australia/Lord_Howe", "UTC")

_minutes = st.sampled_from(["1m", "2m", "7m", "30m", "1h", "90m", "5h", "1d", "2d"])
_conditions = st.sampled_from(
    [
        "customer.plan == 'x'",
        "entry.n > 1",
        "count('go', within='2h') >= 2",
        "did('ping', within='45m')",
        "not did('ping', since_entry=true)",
        "in_segment('busy')",
        "customer.points >= 2",
        "now - entry.at > duration('3h')",
        "today >= date('2026-03-29')",
        "received('hello', within='1d')",
        "visits('first') >= 1",
        "sum('bought', 'total', within='1d') > 50",
    ]
)
_instants = st.sampled_from(["09:00", "02:30", "00:00", "23:45"])


def durations(most_minutes: int = 600) -> st.SearchStrategy[timedelta]:
    """Spans in whole seconds, often tiny or at a full minute."""
    return st.one_of(
        st.integers(0, most_minutes).map(lambda n: timedelta(minutes=n)),
        st.integers(0, most_minutes * 60).map(lambda n: timedelta(seconds=n)),
    )


# --- journeys ---------------------------------------------------------------------------------------------------------


def _time_waits() -> st.SearchStrategy[Any]:
    on = st.sampled_from([{}, {"on": ["sun", "mon"]}])
    past = st.sampled_from([{}, {"if_past": "skip_next"}, {"if_past": "exit"}])
    return st.one_of(
        _minutes,
        st.builds(lambda at, on: {"until": at, **on}, _instants, on),
        st.builds(
            lambda w, on: {"window": w, **on}, st.sampled_from(["08:00-20:00", "22:00-06:00", "01:00-01:30"]), on
        ),
        st.builds(
            lambda until, offset, past: {"until": until, **offset, **past},
            st.sampled_from(["entry.updated_at", "entry.at", "entry.day"]),
            st.sampled_from([{}, {"offset": "10m"}, {"offset": "-1d", "at": "10:00"}, {"offset": "2h"}]),
            past,
        ),
    )


def _waits_for_something() -> st.SearchStrategy[dict[str, Any]]:
    event = st.sampled_from([{"event": "pong"}, {"event": "ping", "where": "event.n == entry.n"}, {"event": "bought"}])
    when = st.builds(lambda c: {"when": c}, _conditions)
    segment = st.just({"segment": "busy"})
    one = st.one_of(event, when, segment)
    many = st.lists(one, min_size=1, max_size=3).map(lambda found: {"any": found})
    return st.builds(lambda wait, up_to: {**wait, "up_to": up_to, "as": "found"}, st.one_of(one, many), _minutes)


def _messages() -> st.SearchStrategy[dict[str, Any]]:
    options = st.fixed_dictionaries(
        {},
        optional={
            "topic": st.sampled_from(["promotions", "care", "orders"]),
            "on_quiet": st.sampled_from(["hold", "skip", "exit"]),
            "on_cap": st.sampled_from(["hold", "skip", "exit"]),
            "valid_for": st.sampled_from(["1h", "12h", "2d"]),
        },
    )
    return st.one_of(
        st.builds(lambda more: {"email": {"template": "hello", **more}}, options),
        st.builds(lambda more: {"sms": {"template": "hello", **more}}, options),
        st.builds(lambda more: {"send": {"first_of": [{"sms": "hello"}, {"email": "second"}], **more}}, options),
        st.builds(lambda more: {"send": {"all_of": [{"sms": "hello"}, {"email": "second"}], **more}}, options),
    )


def _small_steps(later: tuple[str, ...], outside: bool) -> st.SearchStrategy[dict[str, Any]]:
    fixed: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [
            {"set": {"customer.plan": "x"}},
            {"set": {"customer.points": "{{ customer.points | default(0) + 1 }}"}},
            {"set": {"customer.timezone": "Asia/Shanghai"}},
            {"add_tag": "seen"},
            {"remove_tag": "seen"},
            {"stage": "use"},
            {"track": {"event": "pong", "properties": {"n": "{{ entry.n | default(0) }}"}}},
            {"coupon": {"offer": "ten", "as": "coupon", "on_exhausted": "skip"}},
            {"task": {"queue": "desk", "title": "Call", "due": "2h", "as": "call", "wait": True}},
            {"task": {"queue": "desk", "title": "Look", "due": "20m"}},
            {"survey": {"name": "nps", "kind": "nps", "via": "email", "topic": "care", "up_to": "3h", "as": "answer"}},
            {"exit": "enough"},
        ]
    )
    kinds: list[st.SearchStrategy[dict[str, Any]]] = [
        _time_waits().map(lambda wait: {"wait": wait}),
        _time_waits().map(lambda wait: {"wait": wait}),
        _messages(),
        _messages(),
        fixed,
        fixed,
        fixed,
        _conditions.map(lambda condition: {"skip_if": condition, "email": "hello"}),
    ]
    if later:
        kinds.append(
            st.sampled_from([{"enroll": {"journey": name}} for name in later] + [{"unenroll": {"journey": later[0]}}])
        )
    if outside:
        kinds.append(st.sampled_from([
            {"fetch": {"url": "https://x.example/{{ entry.n | default(0) }}", "as": "answer",
                       "default": {"kind": "none"}}},
            {"fetch": {"url": "https://x.example", "as": "answer"}, "retry": {"times": 1, "backoff": "1m"}},
            {"webhook": {"url": "https://y.example", "body": {"n": "{{ entry.n }}"}, "as": "reply"}},
        ]))  # fmt: skip
    return st.one_of(kinds)


@st.composite
def _step_lists(draw: st.DrawFn, later: tuple[str, ...], outside: bool, depth: int = 0) -> list[dict[str, Any]]:
    """Two to five steps; below, up to three, down to the third level."""
    count = draw(st.integers(0, 3) if depth else st.integers(2, 5))
    kinds = st.booleans() if depth < 2 else st.just(False)
    return [
        draw(_holding(later, outside, depth) if draw(kinds) else _small_steps(later, outside)) for _ in range(count)
    ]


@st.composite
def _holding(draw: st.DrawFn, later: tuple[str, ...], outside: bool, depth: int) -> dict[str, Any]:
    """A step with lists of steps inside."""

    def inner() -> list[dict[str, Any]]:
        return draw(_step_lists(later, outside, depth + 1))

    match draw(st.sampled_from(["if", "choose", "do", "wait", "wait", "split", "repeat"])):
        case "if":
            return {"if": draw(_conditions), "then": inner(), "else": inner()}
        case "choose":
            branches = [{"when": draw(_conditions), "do": inner()} for _ in range(2)]
            return {"choose": branches, "default": inner()}
        case "do":
            return {"do": inner(), "skip_if": draw(_conditions)}
        case "wait":
            return {"wait": draw(_waits_for_something()), "then": inner(), "else": inner()}
        case "split":
            variants = {name: {"weight": 50, "do": inner()} for name in ("a", "b")}
            return {"split": {"name": "s", "variants": variants, "control": 20}}
        case _:
            every = draw(st.sampled_from([{}, {"every": "1h"}, {"every": "1d"}]))
            bound = draw(st.sampled_from([{}, {"while": "customer.plan != 'x'"}]))
            return {"repeat": {"times": 3, **every, **bound, "do": inner()}}


def _triggers() -> st.SearchStrategy[Any]:
    again = st.fixed_dictionaries(
        {},
        optional={
            "reentry": st.sampled_from(["always", {"after": "1h"}, {"after": "30m", "since": "exit"}]),
            "overlap": st.sampled_from(["refuse", "restart", "parallel"]),
        },
    )
    event = st.builds(
        lambda trigger, more: {**trigger, **more},
        st.sampled_from(
            [{"event": "go"}, {"event": "go", "key": "event.order"}, {"event": "ping", "where": "event.n > 0"}]
        ),
        again,
    )
    other = st.sampled_from(
        [
            {"segment": "busy"},
            {"segment": "busy", "edge": "left"},
            {"attribute": "customer.plan", "to": "x"},
            {"inactive": {"event": "go", "for": "5h"}},
            {"schedule": "30 9,14 * * *"},
            {"schedule": "30 2 * * *", "segment": "busy"},
            {"date": "customer.renewal", "offset": "-1d", "at": "09:30"},
            {"stage": {"to": "use"}},
        ]
    )
    return st.one_of(event, event, st.builds(lambda first, second: [first, second], event, other))


_exits = st.lists(
    st.one_of(
        st.just({"event": "stop"}),
        st.just({"event": "bought", "where": "event.order == entry.order", "do": [{"email": "second"}]}),
        st.just({"when": "customer.points >= 3"}),
        st.just({"left_segment": "busy"}),
        st.just({"event": "bought", "do": [{"add_tag": "bought"}, {"track": {"event": "pong"}}]}),
    ),
    max_size=2,
)


@st.composite
def journeys(draw: st.DrawFn, outside: bool = False) -> dict[str, dict[str, Any]]:
    """One to three journeys."""
    names = ("a", "b", "c")[: draw(st.integers(1, 3))]
    found = {}
    for place, name in enumerate(names):
        steps = draw(_step_lists(names[place + 1 :], outside))
        journey: dict[str, Any] = {
            "topic": draw(st.sampled_from(["promotions", "care", "orders"])),
            "enter": draw(_triggers()),
            "exit": draw(_exits),
            "steps": [{"id": "first", "do": []}, *steps],
        }
        if draw(st.booleans()):
            journey["update"] = {"event": "changed", "where": "event.order == entry.order"}
        if draw(st.booleans()):
            journey["goal"] = {"event": "bought", "within": "1d", "value": "event.total", "exit": draw(st.booleans())}
        if draw(st.booleans()):
            journey["priority"] = draw(st.sampled_from([10, 90]))
        if draw(st.booleans()):
            journey["timezone"] = draw(st.sampled_from(ZONES))
        if draw(st.integers(0, 3)) == 0:
            journey["holdout"] = "30%"
        found[name] = journey
    return found


@st.composite
def projects(draw: st.DrawFn, outside: bool = False) -> dict[str, Any]:
    """The keyword arguments of tests.small_projects.project_of, journeys included."""
    project: dict[str, Any] = {"timezone": draw(st.sampled_from(ZONES))}
    if draw(st.booleans()):
        project["quiet_hours"] = {"from": "21:00", "to": "08:00"}
    if draw(st.booleans()):
        project["caps"] = [{"max": draw(st.integers(1, 2)), "per": draw(st.sampled_from(["1h", "1d"]))}]
    if draw(st.booleans()):
        project["stages"] = {"new": {}, "use": {"where": "count('go') >= 2"}}
    else:
        project["stages"] = {"new": {}, "use": {}}
    busy = draw(st.sampled_from(["count('go', within='3h') >= 2", "customer.plan == 'x'", "did('ping', within='1d')"]))
    offer = {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 6}, "limits": {"per_customer": 2}}
    return {
        "journeys": draw(journeys(outside)),
        "project": project,
        "segments": {"busy": {"where": busy}},
        "offers": {"ten": offer},
    }


# --- what happens -----------------------------------------------------------------------------------------------------


def _events() -> st.SearchStrategy[Callable[[str, datetime], Any]]:
    properties = st.fixed_dictionaries(
        {},
        optional={
            "n": st.integers(0, 3),
            "order": st.sampled_from(["o1", "o2"]),
            "day": st.sampled_from([date(2026, 3, 29), date(2026, 3, 31)]).map(date.isoformat),
            "total": st.sampled_from([10, 60.5]),
        },
    )
    names = st.sampled_from(["go", "go", "go", "ping", "ping", "stop", "bought", "changed", "pong"])
    return st.builds(lambda name, given: lambda customer, at: Incoming(customer, name, given, at), names, properties)


def _others(consents: bool) -> st.SearchStrategy[Callable[[str, datetime], Any]]:
    traits: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [
            {"plan": "x"},
            {"plan": None},
            {"points": 2},
            {"timezone": "America/St_Johns"},
            {"email": None},
            {"renewal": date(2026, 3, 30)},
        ]
    )
    kinds: list[st.SearchStrategy[Callable[[str, datetime], Any]]] = [
        traits.map(lambda given: lambda customer, at: Identified(given))
    ]
    if consents:
        kinds.append(
            st.builds(
                lambda channel, state: lambda customer, at: ConsentChanged("promotions", channel, state),
                st.sampled_from(["email", "sms"]),
                st.sampled_from(["in", "out"]),
            )
        )
        kinds.append(st.sampled_from(["open", "click", "bounce"]).map(
            lambda kind: lambda customer, at: Receipt(kind, "email", None)  # type: ignore[arg-type]
        ))  # fmt: skip
    return st.one_of(kinds)


@dataclass(frozen=True)
class History:
    """What happens, in order of arrival, after everyone was created; and for how long to look."""

    created: tuple[Happening, ...]
    happenings: tuple[Happening, ...]
    until: datetime


@st.composite
def histories(draw: st.DrawFn, consents: bool = True) -> History:
    """Customers, and some things that happen to them."""
    created = []
    for place, customer in enumerate(CUSTOMERS):
        traits: dict[str, Any] = {
            "email": f"{customer}@example.com",
            "phone": "+351912345678",
            "consents": {"promotions": {"email": "in", "sms": "in"}} if place < 2 else {},
            "created_at": START,
            "timezone": draw(st.sampled_from([None, *ZONES])),
        }
        created.append(Happening(START, customer, Identified(traits, silent=True)))
    count = draw(st.integers(4, 16))
    at = START + timedelta(seconds=1)
    happenings = []
    for _ in range(count):
        at += draw(durations())
        customer = draw(st.sampled_from(CUSTOMERS))
        what = draw(st.one_of(_events(), _events(), _events(), _others(consents)))
        happenings.append(Happening(at, customer, what(customer, at)))
    return History(tuple(created), tuple(happenings), at + timedelta(days=4))


def delays(less_than: timedelta) -> st.SearchStrategy[list[timedelta]]:
    """How long after something is due the engine comes: a pattern to be repeated."""
    seconds = st.integers(0, int(less_than.total_seconds()) - 1)
    return st.lists(seconds.map(lambda n: timedelta(seconds=n)), min_size=1, max_size=7)
