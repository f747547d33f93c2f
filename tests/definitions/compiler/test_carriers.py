"""Which message carries a coupon's code, as far as that can be seen from the file."""

from __future__ import annotations

import pytest

TEMPLATES = {("email", "code"): frozenset({"coupon"}), ("sms", "code"): frozenset({"coupon"})}

CASES = [
    ("email: code", "email_1"),
    ("email: hello\n- email: code", "email_2"),
    ("send: {first_of: [{push: code}, {sms: code}]}", "send_1"),
    ("email: {template: hello, subject: 'Your {{ coupon.code }}'}", "email_1"),
    ("email: {template: hello, with: {deep: [{c: '{{ coupon.code }}'}]}}", "email_1"),
    ("survey: {name: code, kind: nps, up_to: 1d}", "survey_1"),
    ("if: coupon != none\n  then: [{email: code}]", "email_1"),
    ("if: coupon != none\n  then: [{wait: 1d}]\n- email: code", None),
    ("if: coupon == none\n  then: [{exit: no code}]\n- email: code", "email_1"),
    ("if: reachable('sms')\n  then: [{sms: code}]\n  else: [{email: code}]", None),
    ("do: [{do: [{email: code}]}]", "email_1"),
    ("wait: 1d\n- email: code", None),
    ("task: {queue: q, title: t, wait: true}\n- email: code", None),
    ("task: {queue: q, title: t}\n- email: code", "email_1"),
    ("coupon: vip10\n- email: code", None),
    ("coupon: {offer: vip10, as: other}\n- email: code", "email_1"),
    ("exit: now\n- email: code", None),
    ("email: hello", None),
]


@pytest.mark.parametrize(("after", "carrier"), CASES, ids=[after[:60] for after, _ in CASES])
def test_the_carrier_of_a_coupon(steps_of, plan, after, carrier):
    def names(channel: str, name: str) -> frozenset[str]:
        return TEMPLATES.get((channel, name), frozenset())

    steps = steps_of(f"- coupon: vip10\n- {after}", plan=plan(template_names=names))
    found = steps[0].carrier
    assert (None if found is None else steps[found].id) == carrier


def test_a_coupon_at_the_end_of_a_branch_has_no_carrier(steps_of, plan):
    steps = steps_of(
        "- if: 'true'\n  then: [{coupon: vip10}]\n- email: code",
        plan=plan(template_names=lambda channel, name: frozenset({"coupon"})),
    )
    assert steps[1].carrier is None
