"""`channels: {email: {domains: ...}}`: how much mail the mailboxes of one operator may get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from orchestrator.core.domain_limits import GROUPS, DomainLimit
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import DomainBound, ProjectModel

_BOUND: Final = re.compile(r"\s*([0-9][0-9_]{0,11})\s*/\s*(s|sec|second|m|min|minute|h|hour|d|day)\s*", re.I)
_RAMP: Final = re.compile(
    r"\s*([0-9]{1,10})\s*:\s*([0-9]{4}-[0-9]{2}-[0-9]{2})\s*:\s*x([0-9]{1,3}(?:\.[0-9]{1,4})?)\s*"
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_EXAMPLE: Final = "say how much, such as 5000/day, 20/s"


def compile_domain_limits(model: ProjectModel, fields: Fields) -> tuple[DomainLimit, ...]:
    """The limits, each domain in one of them."""
    email = model.channels.email
    if email is None:
        return ()
    found: list[DomainLimit] = []
    taken: dict[str, str] = {}
    for name, bound in email.domains.items():
        at = ("channels", "email", "domains", name)
        domains = frozenset(_domains(name, bound, fields, at))
        for domain in sorted(domains):
            if domain in taken:
                message = f"{domain} stands in '{taken[domain]}' and in '{name}'"
                fields.complain(at, "bad_value", message, "leave it in one of them")
            taken[domain] = name
        rate, daily = _bounds(bound, fields, at)
        ramp = _ramp(bound.ramp, fields, at) if bound.ramp is not None else None
        if rate is None and daily is None and ramp is None and bound.limits is None:
            fields.complain(at, "missing_key", f"'{name}' says no bound", _EXAMPLE)
        found.append(DomainLimit(name, domains, rate, daily, ramp))
    return tuple(found)


def _domains(name: str, bound: DomainBound, fields: Fields, at: tuple[str, ...]) -> Iterator[str]:
    given = bound.domains or GROUPS.get(name.lower()) or [name]
    for domain in given:
        text = domain.strip().lower()
        if not _DOMAIN.fullmatch(text):
            known = ", ".join(GROUPS)
            hint = did_you_mean(text, GROUPS) or f"give a domain such as gmail.com, `domains:`, or one of {known}"
            fields.complain(at, "bad_value", f"'{domain[:60]}' is no domain", hint)
        yield text


def _bounds(bound: DomainBound, fields: Fields, at: tuple[str, ...]) -> tuple[float | None, int | None]:
    """Messages a second, and a day."""
    rate: float | None = None
    daily: int | None = None
    for word in (bound.limits or "").split(",") if bound.limits is not None else ():
        read = _BOUND.fullmatch(word)
        number = int(read[1].replace("_", "")) if read is not None else 0
        unit = read[2][0].lower() if read is not None else ""
        if number < 1 or number > 1_000_000_000 or (daily if unit == "d" else rate) is not None:
            fields.complain(at, "bad_value", f"'{word.strip()[:60]}' is no bound, or the second of its kind", _EXAMPLE)
        elif unit == "d":
            daily = number
        else:
            rate = number / _SECONDS[unit]
    return rate, daily


def _ramp(text: str, fields: Fields, at: tuple[str, ...]) -> tuple[int, date, float] | None:
    read = _RAMP.fullmatch(text)
    try:
        if read is not None:
            ramp = int(read[1]), date.fromisoformat(read[2]), float(read[3])
            if 1 <= ramp[0] <= 1_000_000_000 and 1 < ramp[2] <= 100:
                return ramp
    except ValueError:  # no such day
        pass
    hint = "give the first day's messages, that day, and the daily growth (above 1), such as 500:2026-03-01:x1.5"
    fields.complain((*at, "ramp"), "bad_value", f"'{text[:60]}' is no ramp", hint)
    return None
