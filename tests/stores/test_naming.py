"""Who is named by a text: an address in every notation, an id only where a field says what it is, and nobody else."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.stores.naming import mentions, names

PERSON = names(["42", "anon-7"], "José+shop@Example.com", "+351912345678", "PT")
SPELLINGS = ["José+shop@Example.com", "josé@example.com", "JOSÉ@EXAMPLE.COM", "josé+other@example.com"]
NUMBERS = [
    "+351912345678", "+351 912 345 678", "00351 912345678", "351912345678", "912345678", "912 345 678",
    "(+351) 912-345-678", "+351.912.345.678",
]  # fmt: skip
WRITTEN = st.sampled_from([
    str, quote, quote_plus, json.dumps, lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: json.dumps(json.dumps({"traits": {"what": text}})), lambda text: urlencode({"q": "a b", "who": text}),
    lambda text: f"https://example.com/?who={quote(text, safe='')}&x=1",
    lambda text: f"<{text}>", lambda text: f"我的邮箱{text}，电话{text}谢谢", lambda text: f"to {text}.",
])  # fmt: skip


@settings(max_examples=200)
@given(st.sampled_from([*SPELLINGS, *NUMBERS]), WRITTEN)
def test_an_address_is_found_in_every_notation(text: str, written) -> None:  # type: ignore[no-untyped-def]
    assert PERSON(written(text)), written(text)


@pytest.mark.parametrize(
    "text",
    [
        "ana.josé@example.com", "xjosé@example.com", "josé@example.com.br", "josé@example.co", "josé@shop.example.com",
        "+351912345679", "+4912345678", "9123456789012", "a912345678", "1912345678", "2026-03-02T11:00:00.912345Z",
    ],
)  # fmt: skip
def test_the_address_of_somebody_else_is_not(text: str) -> None:
    for form in (text, json.dumps({"email": text}), quote(text), f"to {text}"):
        assert not PERSON(form), form


_ID_FIELDS = st.sampled_from(
    ["userId", "user_id", "anonymousId", "previousId", "customer", "customerId", "customer_id"]
)
_OTHER_FIELDS = st.sampled_from(["qty", "order", "id", "total", "price", "room", "guild", "supersedes"])


@given(_ID_FIELDS, st.sampled_from(["42", 42, "anon-7"]), st.booleans())
def test_an_id_is_found_in_its_fields(field: str, id: str | int, indent: bool) -> None:
    text = json.dumps({"type": "track", field: id, "event": "x"}, indent=2 if indent else None)
    assert PERSON(text) and PERSON(text[: text.index('"event"')]) and PERSON(json.dumps({"body": text}))
    assert PERSON(urlencode({"a": 1, field: id, "b": 2}))


@given(_OTHER_FIELDS, st.sampled_from(["42", 42]))
def test_a_number_that_is_somebodys_id_names_nobody_elsewhere(field: str, value: str | int) -> None:
    other = {"userId": "u7", "properties": {field: value, "lines": [value, {"id": value}]}, "n": "42"}
    assert not PERSON(json.dumps(other)) and not PERSON(urlencode({field: value}))
    assert not PERSON(json.dumps({"userId": "420", "customer": "142", "previousId": "42a", "user_id": 42.5}))


def test_an_id_within_the_customer_is_found() -> None:
    assert PERSON(json.dumps({"order": {"id": 7}, "customer": {"name": "x", "id": 42}}))
    assert not PERSON(json.dumps({"customer": {"id": 7}, "order": {"id": 42}}))


def test_an_id_that_is_an_address_is_found_as_one() -> None:
    by_mail = names(["ana@example.com"], None, None)
    assert by_mail("to=Ana%40Example.com") and not by_mail("to=mariana@example.com")


def test_whatever_may_be_lost_is_matched_more_freely() -> None:
    free = mentions("42", PERSON)
    assert free("https://example.com/customers/42/orders") and not free("https://example.com/customers/421")
