"""Every kind of timeline item, read into its value; order, offsets, and ids as they stand in the source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.definitions import scenario_items as items
from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.scenario_item_models import ITEMS
from orchestrator.definitions.yaml_loader import load_document

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
HEAD = "start: 2026-03-01T10:00:00Z\n"


def read(text: str, base_dir: Path = Path(".")) -> items.Scenario:
    scenario, problems = load_scenario(load_document("s.yaml", text), base_dir)
    assert scenario is not None, [problem.headline() for problem in problems]
    return scenario


def only(item: str, base_dir: Path = Path(".")) -> items.TimelineItem:
    [found] = read(f"{HEAD}timeline:\n  - {{at: +1h, {item}}}\n", base_dir).timeline
    return found


PLACE = items.Placed(at=START + timedelta(hours=1), order=0, line=3)
AT = {"at": PLACE.at, "order": 0, "line": 3}

ONE_OF_EACH: list[tuple[str, items.TimelineItem]] = [
    (
        "customer: u1, event: cart_updated, id: e1, properties: {cart_id: c1}",
        items.EventItem(**AT, customer="u1", name="cart_updated", properties={"cart_id": "c1"}, message_id="e1"),
    ),
    (
        "customer: u1, identify: {tier: platinum, age: 7}",
        items.IdentifyItem(**AT, customer="u1", traits={"tier": "platinum", "age": 7}),
    ),
    (
        "customer: u1, consent: {topic: promotions, channel: email, state: out}",
        items.ConsentItem(**AT, customer="u1", topic="promotions", channel="email", state="out"),
    ),
    ("provider: {channel: email, outcome: bounce}", items.ProviderItem(**AT, channel="email", outcome="bounce")),
    (
        "receipt: {customer: u1, channel: email, kind: click, step: nudge}",
        items.ReceiptItem(**AT, customer="u1", channel="email", kind="click", step="nudge"),
    ),
    (
        "receipt: {customer: u1, channel: sms, kind: reply, text: 'YES'}",
        items.ReceiptItem(**AT, customer="u1", channel="sms", kind="reply", text="YES"),
    ),
    (
        'http: {url: "https://weather.*", status: 503, json: {kind: rain}}',
        items.HttpItem(**AT, url_glob="https://weather.*", status=503, json={"kind": "rain"}),
    ),
    ('http: {url: "*", timeout: true}', items.HttpItem(**AT, url_glob="*", kind="timeout")),
    ('http: {url: "*", error: true}', items.HttpItem(**AT, url_glob="*", kind="error")),
    (
        "task: {customer: u1, step: call, outcome: reached, assignee: ana}",
        items.TaskItem(**AT, customer="u1", step="call", outcome="reached", assignee="ana"),
    ),
    ("survey: {customer: u1, name: nps, score: 9}", items.SurveyItem(**AT, customer="u1", name="nps", score=9)),
    (
        "redeem: {customer: u1, offer: vip10, order_id: o1, total: 80}",
        items.RedeemItem(**AT, customer="u1", offer="vip10", order_id="o1", total=80),
    ),
    (
        "catalog: {name: products, key: P1, set: {price: 9}}",
        items.CatalogItem(**AT, catalog="products", key="P1", values={"price": 9}),
    ),
    ("catalog: {name: products, key: P1, remove: true}", items.CatalogItem(**AT, catalog="products", key="P1")),
    ("pause: welcome", items.PauseItem(**AT, journey="welcome")),
    ("resume: welcome", items.ResumeItem(**AT, journey="welcome")),
    ("stop: welcome", items.StopItem(**AT, journey="welcome")),
    ("kill: all", items.KillItem(**AT, scope="all")),
    ("kill: {channel: sms}", items.KillItem(**AT, scope="channel", name="sms")),
    ("lift: {journey: welcome}", items.LiftItem(**AT, scope="journey", name="welcome")),
    ("merge: {from: a1, into: u1}", items.MergeItem(**AT, source="a1", target="u1")),
    ("stall: 3d", items.StallItem(**AT, stall_for=timedelta(days=3))),
    (
        "enroll: {journey: j, customer: u1, with: {a: 1}}",
        items.EnrollItem(**AT, journey="j", customer="u1", values={"a": 1}),
    ),
]


@pytest.mark.parametrize(("text", "expected"), ONE_OF_EACH, ids=[text for text, _ in ONE_OF_EACH])
def test_each_kind_of_item(text: str, expected: items.TimelineItem) -> None:
    assert only(text) == expected


def test_deploy_is_relative_to_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "scenarios").mkdir()
    found = only("deploy: ../v2", tmp_path / "scenarios")
    assert isinstance(found, items.DeployItem)
    assert found.path.resolve() == (tmp_path / "v2").resolve()


def test_no_kind_of_item_is_left_out_of_these_tests() -> None:
    tried = {kind for text, _ in ONE_OF_EACH for kind in ITEMS if f"{kind}:" in text}
    assert tried | {"deploy"} == set(ITEMS)  # which needs a folder


@pytest.mark.parametrize("written", ["007", "1e5", "0x1F", "1_000", "3.10", "99999999999999999999", "'7'", "u 1", "on"])
def test_ids_are_read_as_they_stand(written: str) -> None:
    scenario = read(
        f"{HEAD}customers: [{{id: {written}}}]\n"
        f"timeline:\n  - {{at: +0s, customer: {written}, event: x, id: {written}, properties: {{n: 007}}}}\n"
    )
    expected = written.strip("'")
    [event] = scenario.timeline
    assert isinstance(event, items.EventItem)
    assert scenario.customers[0].id == event.customer == event.message_id == expected
    assert event.properties == {"n": 7}, "a property is data, and stays the number that it is"


def test_a_bare_phone_number_keeps_its_plus_sign() -> None:
    scenario = read(f"{HEAD}customers: [{{id: u1, phone: +8613800000000}}]\n")
    assert scenario.customers[0].phone == "+8613800000000"


def test_order_is_by_instant_then_by_place_in_the_file() -> None:
    scenario = read(
        HEAD + "timeline:\n"
        "  - {at: +2h, pause: c}\n"
        "  - {at: 2026-03-01T12:00:00+01:00, pause: a}\n"
        "  - {at: 2026-03-01 11:00:00Z, resume: b}\n"
        "  - {at: +60m, stop: d}\n"
    )
    assert [(item.at - START, item.order) for item in scenario.timeline] == [
        (timedelta(hours=1), 1),
        (timedelta(hours=1), 2),
        (timedelta(hours=1), 3),
        (timedelta(hours=2), 0),
    ]


def test_an_offset_in_days_is_24_hours_each() -> None:
    scenario = read(HEAD + "until: +1w\nhistory: [{at: -40d, customer: u1, event: order_placed}]\n")
    assert scenario.until == START + timedelta(hours=168)
    assert scenario.history[0].at == START - timedelta(hours=960)


def test_the_seed_is_the_salt_as_decimal_text() -> None:
    assert read(HEAD + "seed: 7\n").seed == "7"
    assert read(HEAD + "seed: 0x10\n").seed == "16"
    assert read(HEAD).seed is None, "then the database's own salt is used"


def test_customers_have_all_their_fields() -> None:
    scenario = read(
        HEAD + "customers:\n"
        "  - {id: u1, email: u1@example.com, timezone: Asia/Shanghai, locale: zh, country: CN, currency: CNY,\n"
        "     attributes: {tier: gold}, tags: [vip, 7], stage: use, created_at: -400d,\n"
        "     consents: {promotions: {email: in, sms: out}}}\n"
    )
    assert scenario.customers[0] == items.CustomerSpec(
        id="u1",
        email="u1@example.com",
        timezone="Asia/Shanghai",
        locale="zh",
        country="CN",
        currency="CNY",
        attributes={"tier": "gold"},
        tags=("vip", "7"),
        stage="use",
        consents={"promotions": {"email": "in", "sms": "out"}},
        created_at=START - timedelta(days=400),
        line=3,
    )


def test_force_and_fetch() -> None:
    scenario = read(
        HEAD + "force: {subject: b, holdout: true}\nfetch: {w: {kind: rain}, x: error, y: timeout, z: [1]}\n"
    )
    assert scenario.force == {"subject": "b", "holdout": True}
    assert scenario.fetch == {
        "w": items.FetchAnswer("value", {"kind": "rain"}),
        "x": items.FetchAnswer("error"),
        "y": items.FetchAnswer("timeout"),
        "z": items.FetchAnswer("value", [1]),
    }
