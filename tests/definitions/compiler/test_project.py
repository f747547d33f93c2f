"""What journeys share: segments in order, offers, topics, quiet hours, caps, settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.expression.types import Types
from orchestrator.core.project import CapRule, Offer, OfferLimits, Project, Queue, QuietRule, Topic
from orchestrator.core.time.durations import parse_duration
from orchestrator.core.time.quiet import QuietHours
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.segments import compile_segments
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.definitions.models.segments import Segment
from orchestrator.definitions.source import Document

DAY = timedelta(days=1)


def project_with(root: Path, files: Mapping[str, str]) -> LoadedProject:
    folder = root / "journeys"
    for name, text in {"project.yaml": "timezone: Europe/Lisbon\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return load_project(root)


def valid(root: Path, files: Mapping[str, str]) -> Project:
    return project_with(root, files).require_valid().project


# Segments -----------------------------------------------------------------------------------------------------------


def compiled(conditions: Mapping[str, str]) -> tuple[list[str], list[str]]:
    fields = Fields(Document("journeys/segments.yaml", ""))
    models = {name: Segment(where=where) for name, where in conditions.items()}
    segments = compile_segments(models, fields, Names(Types(segments=frozenset(conditions))))
    return [segment.name for segment in segments], [problem.message for problem in fields.problems]


def test_a_segment_stands_behind_those_it_asks_for():
    conditions = {"a": "in_segment('c')", "b": "true", "c": "in_segment('d') and in_segment('b')", "d": "true"}
    assert compiled(conditions) == (["b", "d", "c", "a"], [])


@pytest.mark.parametrize(
    ("conditions", "circular"),
    [
        ({"a": "in_segment('a')"}, ["the segment 'a' depends on itself: a -> a"]),
        (
            {"a": "in_segment('b')", "b": "not in_segment('a')", "c": "in_segment('a')"},
            ["the segment 'a' depends on itself: a -> b -> a", "the segment 'b' depends on itself: b -> a -> b"],
        ),
        (
            {"a": "in_segment('b')", "b": "in_segment('c')", "c": "in_segment('a')"},
            [
                "the segment 'a' depends on itself: a -> b -> c -> a",
                "the segment 'b' depends on itself: b -> c -> a -> b",
                "the segment 'c' depends on itself: c -> a -> b -> c",
            ],
        ),
    ],
)
def test_segments_that_go_in_a_circle(conditions, circular):
    _, problems = compiled(conditions)
    assert sorted(problems) == sorted(circular)


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefg"), max_size=3), min_size=1))
def test_any_graph_of_segments_is_in_order_or_in_a_circle(graph):
    asked = {name: sorted(others & graph.keys()) for name, others in graph.items()}
    conditions = {n: " and ".join(f"in_segment('{o}')" for o in others) or "true" for n, others in asked.items()}
    order, problems = compiled(conditions)
    circular = {message.split("'")[1] for message in problems}
    assert circular | set(order) == set(graph) and not circular & set(order)
    for place, name in enumerate(order):
        assert set(asked[name]) <= set(order[:place]) | circular
    for message in problems:
        way = message.split(": ")[1].split(" -> ")
        assert way[0] == way[-1] and all(after in asked[before] for before, after in pairwise(way))


def test_a_long_chain_of_segments_is_no_problem():
    names = [f"s{n}" for n in range(3000)]
    conditions = {name: f"in_segment('{other}')" for name, other in pairwise(names)}
    order, problems = compiled(conditions | {names[-1]: "true"})
    assert problems == [] and order == names[::-1]


def test_mistakes_in_segments_and_stages_are_pointed_at(tmp_path):
    loaded = project_with(
        tmp_path,
        {
            "segments.yaml": "ok:\n  where: did('bought')\nbad:\n  where: customer.nope == 1\n",
            "schema.yaml": "events:\n  bought: {}\n",
            "project.yaml": "stages:\n  use: {where: in_segment('okay')}\n",
        },
    )
    assert [problem.headline().split(";")[0] for problem in loaded.problems] == [
        "journeys/project.yaml:2:27: there is no segment 'okay'",
        "journeys/segments.yaml:4:19: no attribute 'nope' is declared",
    ]
    assert [segment.name for segment in loaded.project.segments] == ["ok"]


# Offers -------------------------------------------------------------------------------------------------------------


def test_offers(tmp_path):
    project = valid(
        tmp_path,
        {
            "project.yaml": "timezone: Asia/Tokyo\ncurrency: EUR\n",
            "offers.yaml": """
full:
  title: Ten percent
  discount: {percent: 10}
  codes: {prefix: VIP, length: 9}
  valid_for: 14d
  valid_until: 2026-12-31
  limits: {total: 1000, per_customer: {max: 2, per: 30d}, per_day: 50, budget: {amount: 5000, per_redemption: 20}}
  conditions: {minimum_spend: 50, stores: S1}
  price_floor: 5
pool:
  discount: {amount: {EUR: 10, CNY: 80}}
  codes: {import: true}
  valid_until: 2026-12-31T10:00
  limits: {per_customer: 1, budget: {amount: 1, currency: CNY}}
""",
        },
    )
    assert project.offers["full"] == Offer(
        id="full",
        title="Ten percent",
        discount={"percent": 10},
        prefix="VIP",
        length=9,
        valid_for=parse_duration("14d"),
        valid_until=datetime(2026, 12, 31, 15, tzinfo=UTC),
        limits=OfferLimits(1000, 2, 30 * DAY, 50, 5000, "EUR", 20),
        minimum_spend=50,
        conditions={"stores": ["S1"], "price_floor": 5},
    )
    pool = project.offers["pool"]
    assert pool.imported and pool.discount == {"amount": {"EUR": 10, "CNY": 80}}
    assert pool.valid_until == datetime(2026, 12, 31, 1, tzinfo=UTC)
    assert pool.limits == OfferLimits(per_customer=1, budget=1, budget_currency="CNY")


# project.yaml and schema.yaml ---------------------------------------------------------------------------------------


def test_project_and_schema(tmp_path):
    project = valid(
        tmp_path,
        {
            "project.yaml": """
brand: {name: Blue Harbour, url: "https://example.com"}
timezone: Asia/Shanghai
locale: zh
country: CN
currency: CNY
stages:
  new:
  use: {where: did('bought')}
topics:
  promotions: {class: promotional, title: Offers}
  orders: {class: transactional}
quiet_hours: {from: 21:00, to: 08:00, channels: email}
caps:
  - {max: 3, per: 7d, class: promotional}
  - {max: 1, per: 1d, topic: promotions, channel: sms}
channels:
  email: {from: "Blue Harbour <hello@example.com>"}
  push: {}
queues:
  care: {members: [ana, li], overdue: {notify: lead@example.com}}
settings: {late_tolerance: 10m, history: 30d, unknown_properties: drop}
""",
            "schema.yaml": """
customer:
  tier: {type: string, enum: [basic, gold], default: basic}
events:
  bought: {order_id: {type: string, required: true}, total: number}
""",
            "catalogs/hotels.csv": "id,city\nH1,Lisbon\n",
        },
    )
    assert project.timezone == ZoneInfo("Asia/Shanghai")
    assert (project.locale, project.country, project.currency) == ("zh", "CN", "CNY")
    assert project.brand == {"name": "Blue Harbour", "url": "https://example.com"}
    assert [(stage.name, stage.where and stage.where.source) for stage in project.stages] == [
        ("new", None),
        ("use", "did('bought')"),
    ]
    assert project.topics == {
        "promotions": Topic("promotions", "promotional", "Offers"),
        "orders": Topic("orders", "transactional"),
    }
    assert project.quiet == QuietRule(QuietHours(time(21), time(8)), channels=frozenset({"email"}))
    assert project.caps == (
        CapRule(3, 7 * DAY, "promotional"),
        CapRule(1, DAY, topic="promotions", channel="sms"),
    )
    assert project.channels == {"email": {"from": "Blue Harbour <hello@example.com>"}, "push": {}}
    assert project.queues == {"care": Queue("care", ("ana", "li"), "lead@example.com")}
    settings = project.settings
    assert (settings.late_tolerance, settings.history) == (timedelta(minutes=10), 30 * DAY)
    assert (settings.unknown_properties, settings.smear, settings.dedupe) == ("drop", timedelta(minutes=15), 35 * DAY)
    tier = project.attributes["tier"]
    assert (tier.type, tier.default, tier.enum) == ("string", "basic", ("basic", "gold"))
    bought = project.events["bought"]
    assert (bought.properties, bought.required) == ({"order_id", "total"}, {"order_id"})
    assert project.catalogs == {"hotels": {"H1": {"id": "H1", "city": "Lisbon"}}}


def test_quiet_hours_that_end_when_they_start_are_refused(tmp_path):
    loaded = project_with(tmp_path, {"project.yaml": "quiet_hours: {from: 21:00, to: 21:00}\n"})
    assert [(problem.code, problem.line) for problem in loaded.problems] == [("bad_value", 1)]


def test_an_empty_project_has_the_defaults(tmp_path):
    project = project_with(tmp_path, {}).project
    assert [stage.name for stage in project.stages] == ["awareness", "consideration", "decision", "use", "loyalty"]
    assert project.timezone == ZoneInfo("Europe/Lisbon")
    assert project.journeys == {} and project.segments == () and project.quiet is None
