"""Customers who may be one person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.customer import Customer
from orchestrator.insights.duplicates import Duplicates, find_duplicates, look_alike


def person(id: str, email: str | None = None, phone: str | None = None, **attributes: Any) -> Customer:
    customer = Customer(id, datetime(2026, 3, 2, tzinfo=UTC))
    customer.email, customer.phone, customer.attributes = email, phone, attributes
    return customer


PEOPLE = [
    person("a", "Ana@Example.com", "+351 912 345 678"),
    person("b", "ana@example.com"),
    person("c", "ana.b@example.org", "+351912345678"),
    person("d", "anab+shop@example.org"),
    person("e", "\u0430n-ab@example.org"),
    person("f", first_name="Zo\u00eb", last_name="K", birthday="1990-01-02"),
    person("g", first_name="zoe", last_name=" k", birthday="1990-01-02T00:00:00Z"),
    person("h", first_name="Zoe", last_name="K"),
    person("i", "nonsense", "12"),
    person("j", "nonsense", "12"),
]


def test_groups_of_those_who_share_something() -> None:
    found = find_duplicates(lambda: PEOPLE)
    told = {(each.why, each.ids) for each in found}
    assert told >= {("email", ("a", "b")), ("phone", ("a", "c")), ("name_and_birthday", ("f", "g"))}
    [alike] = [each for each in found if each.why == "email_alike"]
    assert set(alike.ids) >= {"c", "d"} and {each.why for each in found} == {
        "email", "phone", "email_alike", "name_and_birthday",
    }  # fmt: skip
    assert [each.why for each in found] == sorted(
        [each.why for each in found], key=["email", "phone", "email_alike", "name_and_birthday"].index
    )


def test_nobody_is_told_twice_and_there_is_an_end() -> None:
    twins = [person(f"u{n}", f"p{n // 2}@example.com") for n in range(100)]
    assert len(find_duplicates(lambda: twins)) == 50
    assert len(find_duplicates(lambda: twins, most=7)) <= 7
    assert find_duplicates(list) == []
    assert Duplicates("email", "x", ("a", "b")).as_dict() == {"why": "email", "value": "x", "customers": ["a", "b"]}


@pytest.mark.parametrize("email", ["Ana.B@gmail.com", "anab+x@googlemail.com", "\u0430n\u0430_b@gmail.com"])
def test_addresses_as_people_read_them(email: str) -> None:
    assert look_alike(email) == "anab@gmail.com"
