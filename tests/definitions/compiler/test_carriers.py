"""Which message carries a coupon's code, as far as that can be seen from the file."""

from __future__ import annotations

import pytest

from orchestrator.core.program import IssueCoupon

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


BEHIND = [
    ("- email: code", "email_1"),
    ("- email: hello\n- if: coupon is not none\n  then: [{email: code}]", "email_2"),
    ("- fetch: {url: 'https://a.example', as: f}\n- email: code", "email_1"),
    ("- wait: 1d\n- email: code", None),
    ("- repeat: {times: 2, every: 1d, do: [{email: code}]}", None),
    ("- exit: now\n- email: code", None),
    ("- coupon: vip10\n- email: code", None),
    ("- if: reachable('sms')\n  then: [{sms: code}]\n  else: [{email: code}]", None),
]
"""What follows the branch in which the coupon stands, and the carrier."""


@pytest.mark.parametrize(("after", "carrier"), BEHIND, ids=[after[:60] for after, _ in BEHIND])
@pytest.mark.parametrize("branch", ["if: 'true'\n  then: [{coupon: vip10}]", "do: [{do: [{coupon: vip10}]}]"])
def test_the_carrier_behind_the_coupons_branch(steps_of, plan, branch, after, carrier):
    def names(channel: str, name: str) -> frozenset[str]:
        return TEMPLATES.get((channel, name), frozenset())

    steps = steps_of(f"- {branch}\n{after}", plan=plan(template_names=names))
    coupon = next(step for step in steps if isinstance(step, IssueCoupon))
    assert (None if coupon.carrier is None else steps[coupon.carrier].id) == carrier


def test_a_coupon_in_a_loop_has_no_carrier_behind_the_loop(steps_of, plan):
    steps = steps_of(
        "- repeat: {times: 2, do: [{coupon: vip10}]}\n- email: code",
        plan=plan(template_names=lambda channel, name: frozenset({"coupon"})),
    )
    assert next(step for step in steps if isinstance(step, IssueCoupon)).carrier is None
