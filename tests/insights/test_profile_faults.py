"""What of a profile cannot be used, and what contradicts the tracking plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.project import Attribute
from orchestrator.insights.profile_faults import contradictions, unusable_fields

DECLARED = {
    "tier": Attribute("tier", "string", enum=("basic", "gold")),
    "visits": Attribute("visits", "integer"),
    "born": Attribute("born", "date"),
    "vip": Attribute("vip", "boolean"),
}


@pytest.mark.parametrize(
    ("profile", "unusable"),
    [
        ({"email": "ana@example.com", "phone": "+351912345678", "timezone": "Europe/Lisbon", "country": "PT"}, []),
        ({"email": "ana at example.com"}, ["email"]),
        ({"phone": "912345678"}, ["phone"]),
        ({"phone": "912345678", "country": "PT"}, []),
        ({"phone": "+1"}, ["phone"]),
        ({"timezone": "Lisbon"}, ["timezone"]),
        ({"country": "Portugal"}, ["country"]),
        ({"email": "", "phone": None}, []),
    ],
)
def test_unusable_fields(profile: dict[str, Any], unusable: list[str]) -> None:
    assert list(unusable_fields(profile)) == unusable


@pytest.mark.parametrize(
    ("traits", "told"),
    [
        ({"tier": "gold", "visits": 3, "born": "2001-02-03", "vip": True, "other": object}, {}),
        ({"tier": "golden"}, {"tier": "did you mean gold?"}),
        ({"visits": "3"}, {"visits": "is not a whole number"}),
        ({"visits": True}, {"visits": "is not a whole number"}),
        ({"born": "3.2.2001"}, {"born": "is not a date"}),
        ({"vip": "yes"}, {"vip": "true or false"}),
        ({"stage": "lost"}, {"stage": "none of the stages new, loyal"}),
        ({"tier": None}, {}),
    ],
)
def test_contradictions(traits: dict[str, Any], told: dict[str, str]) -> None:
    found = contradictions(traits, DECLARED, ["new", "loyal"])
    assert found.keys() == told.keys()
    assert all(words in found[name] for name, words in told.items())


@given(st.dictionaries(st.sampled_from(["email", "phone", "timezone", "country"]), st.text(max_size=40)))
def test_any_profile_can_be_looked_at(profile: dict[str, str]) -> None:
    assert unusable_fields(profile).keys() <= profile.keys()
