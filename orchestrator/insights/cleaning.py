"""Leads cleaned: e-mails and phones in one form, and those that nobody should write to.

`normalised` can be put right; `invalid`, `role` and `disposable` are told, for people to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple

from orchestrator.core.addresses import email_address, phone_number

Kind = Literal["normalised", "invalid", "role", "disposable"]
ROLES: Final = frozenset(
    {
        # RFC 2142, "Mailbox Names for Common Services, Roles and Functions".
        "info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster", "hostmaster", "usenet",
        "news", "webmaster", "www", "uucp", "ftp",
        # What else nobody calls themselves.
        "admin", "administrator", "billing", "contact", "hello", "help", "hr", "jobs", "mail", "no-reply", "noreply",
        "office", "reception", "root", "service", "team", "test",
    }
)  # fmt: skip
"""Mailboxes of a function, which several people read: consent given by one binds nobody else."""


class Finding(NamedTuple):
    """What is to be said of one field of one customer. `proposal`: its form, where it has a better one."""

    customer: str
    field: str
    kind: Kind
    value: str
    proposal: str | None = None


def findings_of(row: Mapping[str, Any]) -> Iterator[Finding]:
    """What is to be said of a customer: a row with `id`, `email`, `phone`, `country`."""
    customer, email, phone, country = (row.get(name) for name in ("id", "email", "phone", "country"))
    if isinstance(email, str) and email.strip():
        yield from _of_email(str(customer), email)
    if isinstance(phone, str) and phone.strip():
        found = phone_number(phone, country if isinstance(country, str) else None)
        if found is None:
            yield Finding(str(customer), "phone", "invalid", phone)
        elif found.text != phone:
            yield Finding(str(customer), "phone", "normalised", phone, found.text)


def _of_email(customer: str, email: str) -> Iterator[Finding]:
    found = email_address(email)
    if found is None:
        yield Finding(customer, "email", "invalid", email)
        return
    local, _, domain = found.text.lower().rpartition("@")
    one_form = f"{local}@{domain}"
    if one_form != email:
        yield Finding(customer, "email", "normalised", email, one_form)
    if local.partition("+")[0] in ROLES:
        yield Finding(customer, "email", "role", email)
    if is_disposable(domain):
        yield Finding(customer, "email", "disposable", email)


def is_disposable(domain: str) -> bool:
    """Whether mailboxes of a domain, or of one that it belongs to, are thrown away after use."""
    labels = domain.split(".")
    return any(".".join(labels[place:]) in _disposable() for place in range(len(labels) - 1))


@cache
def _disposable() -> frozenset[str]:
    text = files("orchestrator.insights").joinpath("disposable_domains.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
