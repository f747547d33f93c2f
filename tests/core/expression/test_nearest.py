"""The nearest known word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.expression.nearest import did_you_mean, nearest

WORDS = ["email", "sms", "on_quiet", "up_to", "template", "wait", "then"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("emial", "email"), ("Email", "email"), ("onquiet", "on_quiet"), ("on-quiet", "on_quiet"), ("upto", "up_to"),
        ("templat", "template"), ("wiat", "wait"), ("smss", "sms"), ("banana", None), ("", None), ("x" * 5000, None),
    ],
)  # fmt: skip
def test_typing_mistakes(written: str, meant: str | None) -> None:
    assert nearest(written, WORDS) == meant


def test_a_known_word_is_not_its_own_neighbour() -> None:
    assert nearest("email", ["email"]) is None
    assert did_you_mean("emial", WORDS) == "did you mean 'email'?"
    assert did_you_mean("banana", WORDS) is None


@given(st.sampled_from(WORDS), st.data())
def test_one_missing_letter_is_found(word: str, data: st.DataObject) -> None:
    if len(word) < 4:
        return
    at = data.draw(st.integers(0, len(word) - 1))
    assert nearest(word[:at] + word[at + 1 :], WORDS) == word
