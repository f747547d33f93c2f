"""Replies of mail servers, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.smtp_reply import Stage, accepted, answer_of, reply_of


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (550, "5.1.1 no such user", (1, 1)),
        (550, b"5.1.10\nnull MX", (1, 10)),
        (550, "5.1.1no space", None),
        (550, "no code 5.1.1", None),
        (450, "5.1.1 contradicts", None),
        (250, "2.0.0 OK", (0, 0)),
    ],
)
def test_enhanced_codes(code: int, text: str, enhanced: tuple[int, int] | None) -> None:
    assert reply_of(code, text).enhanced == enhanced


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("2.0.0 Ok: queued as 4Tz1Qm2Lx9z", "4Tz1Qm2Lx9z"),
        ("OK id=1rXyZ-0001Ab-2C", "1rXyZ-0001Ab-2C"),
        ("2.0.0 OK 1700000000 a1-20020a0 - gsmtp", None),
        ("fine", None),
    ],
)
def test_the_servers_own_id_is_kept(text: str, reference: str | None) -> None:
    assert accepted(reply_of(250, text)).reference == reference


@given(st.integers(-1, 999), st.binary(max_size=600), st.sampled_from(["hello", "sender", "recipient", "message"]))
def test_any_reply_has_an_outcome_that_can_be_shown(code: int, text: bytes, stage: Stage) -> None:
    answer = answer_of(reply_of(code, text), stage)
    assert answer.outcome in {"rejected", "retry", "unknown"}
    assert answer.reason and answer.reason.isprintable() and len(answer.reason) < 400
    if answer.outcome == "rejected":
        assert 500 <= code < 600
    if answer.outcome == "unknown":
        assert stage == "message"
    assert not answer.receipts or answer.outcome == "rejected"
