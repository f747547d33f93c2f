"""Hashed entries, and how soft bounces add up and fade."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.suppression import HALF_LIFE, TOO_MANY, Softness, hashed_entry, softened

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_a_hashed_entry_names_nobody_and_is_always_the_same() -> None:
    channel, digits = hashed_entry("salt", "email", "ana@example.com")
    assert channel == "#email"
    assert len(digits) == 64 and "ana" not in digits
    assert hashed_entry("salt", "email", "ana@example.com") == (channel, digits)
    others = [
        ("other", "email", "ana@example.com"),
        ("salt", "sms", "ana@example.com"),
        ("salt", "email", "b@example.com"),
    ]
    assert len({hashed_entry(*other)[1] for other in others} | {digits}) == 4
    assert hashed_entry("salt", "email", "\ud800")[1]


def test_it_is_an_hmac_that_others_can_compute() -> None:
    key = sha256(b"suppression\x1fsalt").digest()
    expected = hmac.new(key, b"email\x1fana@example.com", sha256).hexdigest()
    assert hashed_entry("salt", "email", "ana@example.com") == ("#email", expected)


def scores(days: list[float]) -> list[float]:
    known, found = None, []
    for day in days:
        known = softened(known, START + timedelta(days=day), HALF_LIFE)
        found.append(known.score)
    return found


def test_one_a_week_never_and_five_in_a_row_always() -> None:
    assert max(scores([7.0 * week for week in range(200)])) < 2.001
    assert scores([0, 1, 2, 3, 4])[3] < TOO_MANY <= scores([0, 1, 2, 3, 4, 5])[-1]
    assert scores([0, 0.01, 0.02, 0.03, 0.04])[-1] >= TOO_MANY


@settings(max_examples=100)
@given(st.lists(st.integers(0, 400 * 1440) | st.just(7), min_size=1, max_size=20))
def test_the_order_of_reports_does_not_matter(minutes: list[int]) -> None:
    days = [minute / 1440 for minute in minutes]
    ordered, shuffled = scores(sorted(days))[-1], scores(days)[-1]
    assert abs(ordered - shuffled) < 1e-6


def test_a_sign_of_life_is_a_new_beginning() -> None:
    many = Softness(3.9, START)
    assert softened(many, START + timedelta(hours=2), HALF_LIFE, START + timedelta(hours=1)).score == 1.0
    assert softened(many, START + timedelta(hours=2), HALF_LIFE, START - timedelta(hours=1)).score > 4.0
    assert softened(many, START, HALF_LIFE) == Softness(4.9, START), "several in one pass are several"
