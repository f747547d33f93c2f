"""What of a profile cannot be used, or contradicts the tracking plan: told, never corrected and never refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from orchestrator.core.addresses import email_address, phone_number
from orchestrator.core.expression.nearest import nearest
from orchestrator.core.project import Attribute
from orchestrator.core.time.iso import read_date, shown
from orchestrator.core.time.zone_in_force import zones_of_country
from orchestrator.core.time.zones import zone_or_none

_ARTICLES: Final = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
_ARTICLES_MORE: Final = {"date": "a date", "datetime": "a date and time", "list": "a list", "object": "an object"}
_EXPECTED: Final[Mapping[str, str]] = {**_ARTICLES, **_ARTICLES_MORE}


def unusable_fields(profile: Mapping[str, Any]) -> dict[str, str]:
    """The fields among `email`, `phone`, `timezone` and `country` that nothing can be done with, and why.

    They are kept as they were given: nothing is sent to such an address (`invalid_address`), and a zone or country that
    means nothing counts as missing (the language reference, section 5).
    """
    found: dict[str, str] = {}
    email, phone, zone, country = (profile.get(name) for name in ("email", "phone", "timezone", "country"))
    if isinstance(country, str) and country and not zones_of_country(country):
        found["country"] = f"{shown(country)} is no country's code of two letters, such as PT"
        country = None
    if isinstance(email, str) and email.strip() and email_address(email) is None:
        found["email"] = f"{shown(email)} is no e-mail address"
    if isinstance(phone, str) and phone.strip() and phone_number(phone, country) is None:
        hint = "" if phone.strip().startswith("+") or country else "; give it with its country's code, such as +351"
        found["phone"] = f"{shown(phone)} is no phone number{hint}"
    if isinstance(zone, str) and zone and zone_or_none(zone) is None:
        found["timezone"] = f"{shown(zone)} is no IANA time zone, such as Europe/Lisbon"
    return found


def contradictions(
    traits: Mapping[str, Any], declared: Mapping[str, Attribute], stages: Collection[str] = ()
) -> dict[str, str]:
    """The traits that are otherwise than schema.yaml (and the project's stages) say, and how."""
    found: dict[str, str] = {}
    for name, value in traits.items():
        attribute = declared.get(name)
        if attribute is None or value is None:
            continue
        if not _is_of(attribute.type, value):
            found[name] = f"{shown(value)} is not {_EXPECTED.get(attribute.type, attribute.type)}, as schema.yaml says"
        elif attribute.enum is not None and value not in attribute.enum:
            near = nearest(str(value), attribute.enum)
            hint = f"; did you mean {near}?" if near else ""
            found[name] = f"{shown(value)} is none of {', '.join(attribute.enum)} (schema.yaml){hint}"
    stage = traits.get("stage")
    if stages and isinstance(stage, str) and stage not in stages:
        found["stage"] = f"{shown(stage)} is none of the stages {', '.join(stages)} (project.yaml)"
    return found


def _is_of(kind: str, value: object) -> bool:
    match kind:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "date" | "datetime":
            return isinstance(value, str) and _is_date(value)
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True


def _is_date(text: str) -> bool:
    try:
        read_date(text)
    except ValueError:
        return False
    return True
