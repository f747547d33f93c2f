"""Whether two ids may become one person."""

from __future__ import annotations

import pytest

from orchestrator.core.linking import Add, Blocked, IdentityRules, Join, Nothing, Standing, is_nobody, verdict

RULES = IdentityRules(never=frozenset({"kiosk-7"}), identifiers=3, merges_per_day=2)
KNOWN = Standing("u1", True, {"external": 1})
OTHER = Standing("u2", True, {"external": 1})
ANON = Standing("a1", False, {"anonymous": 1})


@pytest.mark.parametrize(
    "value", ["null", "Undefined", " guest ", "", "0", "00000000-0000-0000-0000-000000000000", "[object Object]", "0x0"]
)
def test_what_is_nobodys_id(value: str) -> None:
    assert is_nobody(value)
    assert verdict("anonymous", value, None, KNOWN, RULES) == Blocked("never")
    assert verdict("operator", value, OTHER, KNOWN, RULES) == Join("u2", "u1"), "an operator sees whom it means"


@pytest.mark.parametrize("value", ["u1", "guest-1", "10", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "nullable"])
def test_what_is_somebodys(value: str) -> None:
    assert not is_nobody(value)
    assert verdict("anonymous", value, None, KNOWN, RULES) == Add()
    assert is_nobody("Kiosk-7", RULES.never)


def test_nobody_becomes_a_part_of_nobody() -> None:
    nobody = Standing("undefined", True, {"external": 1})
    assert verdict("external", "u2", OTHER, nobody, RULES) == Blocked("never")
    assert verdict("operator", "u2", OTHER, nobody, RULES) == Join("u2", "undefined")


def test_an_anonymous_person_becomes_known_in_either_direction() -> None:
    assert verdict("anonymous", "a1", ANON, KNOWN, RULES) == Join("a1", "u1")
    assert verdict("anonymous", "u1", KNOWN, ANON, RULES) == Join("a1", "u1"), "the known one stays"
    assert verdict("anonymous", "a1", KNOWN, KNOWN, RULES) == Nothing()


def test_two_known_ones_are_joined_by_word_only() -> None:
    rules = IdentityRules(frozenset({"external", "anonymous", "email", "phone"}))
    for kind in ("anonymous", "email", "phone"):
        assert verdict(kind, "x@example.com", OTHER, KNOWN, rules) == Blocked("both_known")
    for told in ("external", "operator", "scenario"):
        assert verdict(told, "u2", OTHER, KNOWN, rules) == Join("u2", "u1")


def test_kinds_join_only_where_the_project_says_so() -> None:
    assert verdict("email", "x@example.com", ANON, KNOWN, RULES) == Blocked("not_merged")
    assert verdict("external", "u2", OTHER, KNOWN, IdentityRules(frozenset({"anonymous"}))) == Blocked("not_merged")


def test_nothing_runs_away() -> None:
    full = Standing("u1", True, {"external": 1, "anonymous": 3})
    assert verdict("anonymous", "a9", None, full, RULES) == Blocked("too_many_identifiers")
    assert verdict("anonymous", "a1", ANON, full, RULES) == Blocked("too_many_identifiers")
    busy = Standing("u1", True, {"external": 1}, merges=2)
    assert verdict("anonymous", "a1", ANON, busy, RULES) == Blocked("too_many_merges")
    assert verdict("operator", "a1", ANON, busy, RULES) == Join("a1", "u1")
