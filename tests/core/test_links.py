"""Signed links: they lead where they were made for, and nothing else can be made of them."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.links import SHORT, click_token, clicked, opened, short_opened, short_token, token

SECRET = b"a secret for tests, of 32 bytes."
IDS = st.from_regex(r"[0-9a-f]{16}\.[a-z_]{1,20}\.[1-9][0-9]?", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(id=st.text(max_size=60).filter(lambda id: "\x1f" not in id), target=st.text(max_size=200), other=st.text())
def test_a_link_holds_its_target_and_no_other(id: str, target: str, other: str) -> None:
    made = click_token(SECRET, id, target)
    assert made.isascii() and clicked(SECRET, made) == (id, target)
    assert clicked(b"another secret", made) is None
    assert clicked(SECRET, other) is None
    held, _, signature = made.rpartition(".")
    assert clicked(SECRET, f"{held}A.{signature}") is None
    assert clicked(SECRET, token(SECRET, "view", held)) is None and opened(SECRET, "unsubscribe", made) is None


@settings(max_examples=200, deadline=None)
@given(id=IDS, number=st.integers(0, 15), other=IDS)
def test_a_short_link_names_its_message_and_number(id: str, number: int, other: str) -> None:
    made = short_token(SECRET, id, number)
    assert made is not None and len(made) == SHORT
    assert set(made) <= set(string.ascii_letters + string.digits + "-_")
    found = short_opened(SECRET, made)
    assert found is not None and (found.fits(id), found.number) == (True, number)
    assert other == id or other[:16] == id[:16] or not found.fits(other)


@settings(max_examples=100, deadline=None)
@given(id=IDS, place=st.integers(0, SHORT - 1), letter=st.sampled_from(string.ascii_letters))
def test_whoever_changes_a_character_meets_no_message(id: str, place: int, letter: str) -> None:
    made = short_token(SECRET, id, 0) or ""
    changed = made[:place] + letter + made[place + 1 :]
    found = short_opened(SECRET, changed)
    assert changed == made or found is None or not found.fits(id)
    elsewhere = short_opened(b"another secret", made)
    assert elsewhere is None or not elsewhere.fits(id)


def test_what_is_no_short_link() -> None:
    assert short_token(SECRET, "e1.s.1", 0) is None
    assert short_token(SECRET, "0123456789abcdef.s.1", 16) is None
    for given_ in ("", "short", "x" * 12, "您" * 11, "a b" * 3 + "cc", "../../../.."):
        assert short_opened(SECRET, given_) is None


def test_tokens_of_one_message_have_nothing_in_common() -> None:
    made = {short_token(SECRET, "0123456789abcdef.s.1", number) or "" for number in range(16)}
    assert len(made) == 16 and len({text[:3] for text in made}) > 12
