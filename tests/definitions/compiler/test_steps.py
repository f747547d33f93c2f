"""Each verb compiles to what the language reference says: a piece of YAML, the class, and the fields that matter."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.interpolation import Template
from orchestrator.core.program import (
    CUSTOMER_ZONE,
    END,
    ChannelTemplate,
    Choose,
    Do,
    Enroll,
    Fetch,
    Goto,
    IssueCoupon,
    Leave,
    OpenTask,
    Repeat,
    RepeatAgain,
    Retry,
    Send,
    SetAttributes,
    SetStage,
    Split,
    Survey,
    Tag,
    Track,
    Unenroll,
    Variant,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
    Webhook,
    ZoneRule,
)
from orchestrator.core.time.durations import parse_duration
from orchestrator.core.time.waits import Window

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def shown(value: Any) -> Any:
    """A field in a form that is easy to write down: expressions and templates by their text."""
    if isinstance(value, Template):
        if value.entries is not None:
            return {key: shown(template) for key, template in value.entries}
        if value.items is not None:
            return [shown(template) for template in value.items]
        return [shown(part) for part in value.parts] if value.parts else value.literal
    if hasattr(value, "source"):
        return f"<{value.source}>"
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(shown(item) for item in value)
    return value


CASES: list[tuple[str, type, dict[str, Any]]] = [
    ("- wait: 3d", WaitFor, {"duration": parse_duration("3d"), "expr": None, "if_past": "continue"}),
    ("- wait: {for: 1h30m}", WaitFor, {"duration": parse_duration("90m")}),
    ("- wait: {for: days(entry.total)}", WaitFor, {"duration": None, "expr": "<days(entry.total)>"}),
    ('- wait: {until: "09:00"}', WaitUntilTime, {"time": time(9), "days": None}),
    ("- wait: {until: 09:00, on: [mon..fri, sun]}", WaitUntilTime, {"days": frozenset({0, 1, 2, 3, 4, 6})}),
    (
        "- wait: {until: entry.at, offset: -3d, at: 10:00, on: mon, if_past: skip_next}",
        WaitUntilDate,
        {
            "until": "<entry.at>",
            "offset": parse_duration("-3d"),
            "offset_expr": None,
            "at": time(10),
            "days": frozenset({0}),
            "if_past": "skip_next",
        },
    ),
    ("- wait: {until: entry.at, offset: days(2)}", WaitUntilDate, {"offset": None, "offset_expr": "<days(2)>"}),
    (
        '- wait: {window: "22:00-06:00", on: fri}',
        WaitWindow,
        {"window": Window(time(22), time(6)), "days": frozenset({4})},
    ),
    (
        "- wait: {event: order_placed, where: event.total > 5, up_to: 2d, as: order}",
        WaitSomething,
        {"up_to": parse_duration("2d"), "as_name": "order", "then": END, "otherwise": END},
    ),
    ("- wait: {when: customer.visits > 3}", WaitSomething, {"up_to": None, "as_name": None}),
    (
        "- if: entry.total > 5\n  then: [{exit: a}]\n  else: [{exit: b}]",
        Choose,
        {"otherwise": 2, "otherwise_label": "else"},
    ),
    (
        "- choose: [{when: entry.total > 5, do: [{exit: a}]}, {when: 'true', do: []}]\n  default: [{exit: b}]",
        Choose,
        {"otherwise": 2, "otherwise_label": "default"},
    ),
    ("- do: [{exit: a}]", Do, {"first": 1, "next": END}),
    (
        "- split: {name: t, variants: {a: {weight: 30, do: [{exit: a}]}, b: [{exit: b}]}, control: 10}",
        Split,
        {"name": "t", "control": 0.1, "variants": (Variant("a", 30.0, 1), Variant("b", 1.0, 2))},
    ),
    (
        "- repeat: {times: 3, every: 2d, while: loop.index < 3, do: [{sms: hello}]}",
        Repeat,
        {"times": 3, "every": parse_duration("2d"), "condition": "<loop.index < 3>", "first": 1, "again": 2},
    ),
    ("- goto: here\n- {id: here, exit: a}", Goto, {"target": 1}),
    ("- exit: had enough", Leave, {"reason": "had enough"}),
    ("- email: hello", Send, {"ways": (ChannelTemplate("email", "hello"),), "every_way": False}),
    (
        "- send: {first_of: [{push: hello}, {sms: hello}], topic: promotions}",
        Send,
        {"ways": (ChannelTemplate("push", "hello"), ChannelTemplate("sms", "hello")), "every_way": False},
    ),
    ("- send: {all_of: [{push: hello}, {sms: hello}]}", Send, {"every_way": True}),
    (
        "- survey: {name: nps, kind: nps, via: sms, up_to: 7d, as: answer}\n  then: [{exit: a}]",
        Survey,
        {
            "name": "nps",
            "kind": "nps",
            "way": ChannelTemplate("sms", "nps"),
            "up_to": parse_duration("7d"),
            "as_name": "answer",
            "then": 1,
            "otherwise": END,
        },
    ),
    (
        "- survey: {name: nps, kind: nps, template: hello}",
        Survey,
        {"way": ChannelTemplate("email", "hello"), "up_to": None},
    ),
    (
        "- fetch: {url: 'https://x.example/{{ entry.cart_id }}', as: w, cache: 1d, timeout: 2s, default: null}",
        Fetch,
        {
            "url": ["https://x.example/", "<entry.cart_id>"],
            "as_name": "w",
            "cache": DAY,
            "timeout": timedelta(seconds=2),
            "has_default": True,
            "default": None,
            "on_error": "default",
        },
    ),
    (
        "- {id: weather, fetch: 'https://x.example/'}",
        Fetch,
        {
            "url": "https://x.example/",
            "as_name": "weather",
            "cache": None,
            "timeout": timedelta(seconds=5),
            "has_default": False,
            "on_error": "fail",
        },
    ),
    ("- fetch: {url: 'https://x.example/', default: {}, on_error: exit}", Fetch, {"on_error": "exit"}),
    (
        """\
- webhook:
    {url: 'https://x.example/', method: PUT, headers: {A: 'b {{ entry.total }}'}, as: reply,
    body: {total: '{{ entry.total }}', list: [1, '{{ entry.cart_id }}'], fixed: {a: 1}}}""",
        Webhook,
        {
            "method": "PUT",
            "headers": (("A", ["b ", "<entry.total>"]),),
            "as_name": "reply",
            "timeout": timedelta(seconds=10),
            "body": {"total": ["<entry.total>"], "list": [1, ["<entry.cart_id>"]], "fixed": {"a": 1}},
        },
    ),
    ("- webhook: {url: 'https://x.example/', body: {a: [1, {b: c}]}}", Webhook, {"body": {"a": [1, {"b": "c"}]}}),
    (
        "- coupon: vip10",
        IssueCoupon,
        {"offer": "vip10", "as_name": "coupon", "on_exhausted": "skip", "exhausted_target": END, "carrier": None},
    ),
    (
        "- coupon: {offer: vip10, as: c, on_exhausted: {goto: out}}\n- {id: out, exit: a}",
        IssueCoupon,
        {"as_name": "c", "on_exhausted": "goto", "exhausted_target": 1},
    ),
    (
        "- task: {queue: care, title: 'Call {{ customer.first_name }}', due: 1d, assign: ana, as: call, wait: true}",
        OpenTask,
        {
            "queue": "care",
            "title": ["Call ", "<customer.first_name>"],
            "body": None,
            "due": parse_duration("1d"),
            "assign": "ana",
            "as_name": "call",
            "wait": True,
        },
    ),
    (
        "- set: {customer.plan: gold, customer.visits: '{{ customer.visits + 1 }}'}",
        SetAttributes,
        {"values": (("plan", "gold"), ("visits", ["<customer.visits + 1>"]))},
    ),
    ("- add_tag: vip", Tag, {"tag": "vip", "add": True, "more": ()}),
    ("- remove_tag: [vip, new]", Tag, {"tag": "vip", "add": False, "more": ("new",)}),
    ("- stage: loyalty", SetStage, {"stage": "loyalty"}),
    (
        "- track: {event: nudged, properties: {total: '{{ entry.total }}', n: 1}}",
        Track,
        {"event": "nudged", "properties": (("total", ["<entry.total>"]), ("n", 1))},
    ),
    (
        "- enroll: {journey: other, with: {cart: '{{ entry.cart_id }}'}}",
        Enroll,
        {"journey": "other", "values": (("cart", ["<entry.cart_id>"]),)},
    ),
    ("- unenroll: other", Unenroll, {"journey": "other"}),
]


@pytest.mark.parametrize(("text", "kind", "expected"), CASES, ids=[text.splitlines()[0][:60] for text, _, _ in CASES])
def test_each_verb_compiles_to_what_the_reference_says(steps_of, text, kind, expected):
    step = steps_of(text)[0]
    assert type(step) is kind
    assert {name: shown(getattr(step, name)) for name in expected} == expected


def test_every_step_takes_what_all_steps_share(steps_of):
    (step,) = steps_of(
        """
        - id: nudge
          note: for people
          email: hello
          skip_if: customer.plan == 'gold'
          retry: {times: 3, backoff: 2m}
          on_error: continue
          cost: {amount: 0.05}
          timezone: Asia/Tokyo
        """
    )
    assert step.id == "nudge" and step.verb == "email"
    assert shown(step.skip_if) == "<customer.plan == 'gold'>"
    assert step.retry == Retry(3, parse_duration("2m"))
    assert (step.on_error, step.on_error_next) == ("continue", END)
    assert step.cost == (0.05, "EUR")
    assert step.timezone == ZoneRule(ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer", CUSTOMER_ZONE),
        ("Europe/Lisbon", ZoneRule(ZoneInfo("Europe/Lisbon"))),
        ("UTC", ZoneRule(ZoneInfo("UTC"))),
    ],
)
def test_the_zone_of_a_step_may_stand_beside_or_inside_its_verb(steps_of, text, expected):
    assert steps_of(f"- {{wait: 1d, timezone: {text}}}")[0].timezone == expected
    assert steps_of(f"- wait: {{for: 1d, timezone: {text}}}")[0].timezone == expected


def test_a_zone_may_be_an_expression(steps_of):
    (step,) = steps_of("- {wait: 1d, timezone: \"catalog('hotels', entry.cart_id).zone\"}")
    assert step.timezone.zone is None and shown(step.timezone.expr) == "<catalog('hotels', entry.cart_id).zone>"


def test_retry_backs_off_by_a_minute_unless_it_says_otherwise(steps_of):
    assert steps_of("- {email: hello, retry: {times: 2}}")[0].retry == Retry(2, parse_duration("1m"))


def test_message_options(steps_of):
    (step,) = steps_of(
        """
        - email:
            template: hello
            topic: promotions
            subject: "{{ customer.first_name }}!"
            with: {n: 1, total: "{{ entry.total }}", deep: {a: ["{{ entry.cart_id }}"]}}
            to: "{{ customer.email }}"
            locale: zh
            valid_for: 12h
            on_quiet: skip
            on_cap: hold
            from: Us <us@example.com>
            reply_to: care@example.com
            attachments: terms.pdf
        """
    )
    options = step.options
    assert options.topic == "promotions"
    assert shown(options.subject) == ["<customer.first_name>", "!"]
    assert {name: shown(value) for name, value in options.values} == {
        "n": 1,
        "total": ["<entry.total>"],
        "deep": {"a": [["<entry.cart_id>"]]},
    }
    assert shown(options.to) == ["<customer.email>"] and shown(options.locale) == "zh"
    assert options.valid_for == parse_duration("12h")
    assert (options.on_quiet, options.on_cap) == ("skip", "hold")
    assert (options.sender, options.reply_to, options.attachments) == (
        "Us <us@example.com>",
        "care@example.com",
        ("terms.pdf",),
    )


def test_the_alternatives_of_any_stand_in_order_and_a_segment_is_a_condition(steps_of):
    (step,) = steps_of(
        "- wait: {any: [{segment: vip}, {event: booked}, {when: customer.visits > 2}], up_to: 1d, as: got}"
    )
    segment, event, when = step.alternatives
    assert (segment.segment, shown(segment.when)) == ("vip", "<in_segment('vip')>")
    assert (event.event, event.where) == ("booked", None)
    assert shown(when.when) == "<customer.visits > 2>" and when.segment is None


def test_a_repeat_ends_in_a_step_that_leads_back(steps_of):
    repeat, _, again, after = steps_of("- repeat: {times: 2, do: [{sms: hello}]}\n- exit: done")
    assert isinstance(again, RepeatAgain)
    assert again.repeat == repeat.index and repeat.again == again.index and repeat.next == after.index
    assert again.loops == ("repeat_1",) and repeat.loops == ()


def test_control_and_holdout_are_shares(journey_of):
    journey = journey_of(
        "journey: j\nenter: {event: booked}\nholdout: 12.5%\n"
        "steps: [{split: {name: t, variants: {a: []}, control: 25%}}]\n"
    )
    assert journey.holdout == 0.125 and journey.steps[0].control == 0.25


MISTAKES: list[tuple[str, str]] = [
    ("- goto: hre\n- {id: here, exit: a}", ":4:11: there is no step 'hre' to go on with here; did you mean 'here'?"),
    ("- coupon: {offer: vip10, on_exhausted: {goto: nowhere}}", ":4:49: there is no step 'nowhere'"),
    ("- if: entry.totl > 3", ":4:15: no property 'totl' of 'entry' is declared; did you mean 'total'?"),
    ("- if: >-\n    entry.total > 3\n    and customer.pln == 'x'", ":6:20: no attribute 'pln' is declared"),
    (
        "- {id: a, email: hello}\n- {id: a, sms: hello}",
        ":5:10: the id 'a' is given twice; the step in line 4 is called so",
    ),
    (
        "- {id: email_2, email: hello}\n- email: hello",
        "the id 'email_2' is given twice; the step in line 5 is called so by itself",
    ),
    ("- wait: {until: 9am}", "journeys/j.yaml:4:19: "),
    ("- wait: 3 days", "journeys/j.yaml:4:11: "),
    ("- wait: {until: entry.total}", "this is a number, and a date or an instant is needed here [type_clash]"),
    ("- wait: {for: entry.total}", "this is a number, and a duration, such as days(3) is needed here [type_clash]"),
    ("- wait: {until: 09:00, at: 10:00}", "`at` stands with a date, and `until` is a time of day here"),
    ("- wait: {until: entry.at, offset: -2h, at: 10:00}", "the offset -2h holds hours, minutes or seconds"),
    ("- {wait: 1d, timezone: Europe/Lissabon}", "'Europe/Lissabon'; did you mean 'Europe/Lisbon'? [bad_zone]"),
    ("- task: {queue: q, title: 'Call {{ customer.frst_name }}'}", ":4:47: no attribute 'frst_name'"),
    ("- task: {queue: q, title: '{% if x %}'}", "blocks ({% %}) belong in template files"),
    ("- task: {queue: q, title: 'Call {{ customer.first_name'}", ":4:35: this {{ is never closed"),
    ("- fetch: {url: 'https://x.example/', on_error: default}", "`on_error: default` takes the `default`"),
    ("- send: {first_of: [{email: {template: hello, topic: promotions}}]}", "`topic` stands beside `first_of`"),
    ("- wait: {segment: shopprs}", ":4:21: there is no segment 'shopprs'; did you mean 'shoppers'?"),
    ("- add_tag: []", "`add_tag` names no tag"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[text.splitlines()[0][:60] for text, _ in MISTAKES])
def test_mistakes_are_pointed_at(problems_of, text, expected):
    told = problems_of(text)
    assert len(told) == 1, told
    assert expected in told[0]


def test_all_mistakes_are_told_at_once_and_there_is_no_program(source_of):
    source = source_of(
        """\
        journey: j
        enter: {event: cart_updated, where: event.nope}
        exit: {when: customer.nope == 1}
        goal: {event: booked, value: event.nope}
        steps:
          - if: customer.nope > 1
            then: [{goto: nope}]
          - set: {customer.plan: "{{ entry.nope }}"}
        """
    )
    assert source.journey is None
    assert sorted((problem.line, problem.code) for problem in source.problems) == [
        (2, "unknown_property"),
        (3, "unknown_attribute"),
        (4, "unknown_property"),
        (6, "unknown_attribute"),
        (7, "unknown_step"),
        (8, "unknown_property"),
    ]
