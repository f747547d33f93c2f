"""Addresses: spellings of one mailbox share its suppressions, and what cannot be used is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.addresses import address_of, email_address, phone_number
from orchestrator.core.customer import Customer
from tests.stores.driving import START


@pytest.mark.parametrize(
    "spelling",
    [
        "ana@example.com",
        " Ana@Example.COM ",
        "a\u200bna@exam\u00adple.com",
        "ａｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "ana+shop@example.com",
        "\ufeffANA@example.com.",
        "\u0430na@example.com",  # a Cyrillic a
        "\u0391\u039dA@example.com",  # Greek capitals
        "ana@ex\u0430mple.com",
        "ana@xn--exmple-4nf.com",
    ],
)
def test_spellings_of_one_mailbox_are_one_for_suppression(spelling: str) -> None:
    found = email_address(spelling)
    assert found is not None and found.normal == "ana@example.com"


@pytest.mark.parametrize(
    "spelling", ["anabell@gmail.com", "ana.bell@gmail.com", "A.n.a.bell+shop@GoogleMail.com", "ana.b\u0435ll@gmail.com"]
)
def test_dots_and_the_older_domain_mean_nothing_to_gmail(spelling: str) -> None:
    found = email_address(spelling)
    assert found is not None and found.normal == "anabell@gmail.com"


@pytest.mark.parametrize("other", ["ana.bell@example.com", "ana.bell@gmail.com.br", "ana.bell@mygmail.com"])
def test_dots_mean_something_elsewhere(other: str) -> None:
    found = email_address(other)
    assert found is not None and found.normal == other


def test_whoever_writes_in_another_alphabet_has_a_mailbox_of_their_own() -> None:
    found, seems = email_address("оса@почта.рф"), email_address("oca@почта.рф")
    assert found is not None and seems is not None and found.normal != seems.normal


@example("A.+@gmail.рф")
@given(st.from_regex(r"[a-zA-Z.+аоеіΑΟο]{1,12}@(gmail|googlemail|exаmple|почта)\.(com|рф)", fullmatch=True))
def test_the_form_that_is_compared_is_its_own_form(text: str) -> None:
    found = email_address(text)
    if found is not None:
        for again in (email_address(found.normal), email_address(found.text)):
            assert again is not None and again.normal == found.normal


def test_each_plus_address_is_written_to_as_it_stands_and_a_domain_in_ascii() -> None:
    plus, beyond = email_address("ana+shop@example.com"), email_address("ana@bücher.example")
    assert plus is not None and plus.text == "ana+shop@example.com"
    assert beyond is not None and beyond.text == "ana@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "text",
    ["ana", "ana@", "@example.com", "ana@localhost", "a na@example.com", "ana@@example.com", ".ana@example.com",
     "a..na@example.com", "ana@-example.com", "ana@1.2.3.4", "ana@example.com\r\nBcc: x@a.pt",
     "a\x00@example.com", "x" * 65 + "@example.com", "ana@" + "x" * 64 + ".com", "Ana <ana@example.com>"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_its_reason(text: str) -> None:
    assert address_of(Customer("u1", START), "email", text) == (None, "invalid_address")


@pytest.mark.parametrize("text", ["12", "call me", "+999", "+3519123456780000", "9123456789012345678"])
def test_what_is_no_number_is_refused_with_its_reason(text: str) -> None:
    assert address_of(Customer("u1", START), "sms", text) == (None, "invalid_address")


@pytest.mark.parametrize(
    "spelling", ["+351912345678", "+351 912-345-678", "912 345 678", "＋３５１912345678", "00351912345678"]
)
def test_spellings_of_one_number_are_one(spelling: str) -> None:
    found = phone_number(spelling, "PT")
    assert found is not None and found.normal == "+351912345678"


@given(st.text(max_size=40))
def test_any_text_is_an_address_of_one_line_or_none(text: str) -> None:
    for found in (email_address(text), email_address(f"{text}@example.com"), phone_number(text, None)):
        assert found is None or not set("\r\n\x00\t ") & set(found.text)
