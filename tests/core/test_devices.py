"""Devices: what is one, what it is called, and how a profile's list changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.devices import (
    ADD,
    LONGEST_TOKEN,
    MOST,
    REMOVE,
    are_references,
    changed,
    device_of,
    devices_of,
    named,
    references,
    trait_fault,
)

KEYS = {"p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
WEB = {"endpoint": "https://push.example/x", "keys": KEYS}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "fcm",
        {},
        {"kind": "fcm"},
        {"kind": "fcm", "token": ""},
        {"kind": "fcm", "token": 7},
        {"kind": "fcm", "token": "a b"},
        {"kind": "fcm", "token": "a\r\nX: y"},
        {"kind": "fcm", "token": "é"},
        {"kind": "fcm", "token": "x" * (LONGEST_TOKEN + 1)},
        {"kind": "apns", "token": "../../x"},
        {"kind": "apns", "token": "xyz"},
        {"kind": "pager", "token": "x"},
        {"kind": ["fcm"], "token": "x"},
        {**WEB, "keys": None},
        {**WEB, "keys": {"p256dh": "x", "auth": 1}},
        {**WEB, "keys": {**KEYS, "auth": "not base64!"}},
        {**WEB, "endpoint": "http://push.example/x"},
        {**WEB, "endpoint": "javascript:alert(1)"},
    ],
)
def test_what_is_no_device(entry: object) -> None:
    assert device_of(entry) is None
    assert trait_fault(ADD, entry) is not None


def test_a_device_survives_its_profile() -> None:
    for entry in (WEB, {"kind": "fcm", "token": "t", "app": "a.b"}, {"kind": "apns", "token": "ABCDEF01"}):
        device = device_of(entry)
        assert device is not None
        assert device_of(device.as_data()) == device
        assert trait_fault(ADD, entry) is None


def test_references_are_short_sorted_and_say_nothing() -> None:
    attributes = {"devices": [{"kind": "fcm", "token": f"secret{n}"} for n in range(30)]}
    devices = devices_of(attributes)
    text = references(devices)
    assert len(devices) == MOST and devices[-1].token == "secret29"
    assert are_references(text) and "secret" not in text and len(text) < 200
    assert text.split(" ") == sorted(text.split(" "))
    assert named(attributes, text) == devices
    assert named({"devices": attributes["devices"][:25]}, text) == devices[:5]


@pytest.mark.parametrize("text", ["", " ", "fcm:x", "fcm:0123456789ab ", "fcm:0123456789ab,web:0123456789ab", "x@y.z"])
def test_what_is_no_reference(text: str) -> None:
    assert not are_references(text)


def test_a_list_changes_by_its_traits() -> None:
    attributes: dict[str, Any] = {}
    for token in ("a", "b", "a"):
        attributes["devices"] = changed(attributes, ADD, {"kind": "fcm", "token": token})
    assert [device.token for device in devices_of(attributes)] == ["b", "a"]
    gone = [device.reference for device in devices_of(attributes)]
    assert changed(attributes, REMOVE, gone[:1]) == [{"kind": "fcm", "token": "a"}]
    assert changed(attributes, REMOVE, gone) is None
    assert changed({}, REMOVE, gone) is None
    assert trait_fault(REMOVE, gone) is None and trait_fault(REMOVE, gone[0]) is None
    assert trait_fault(REMOVE, ["x"]) is not None and trait_fault(REMOVE, {}) is not None


NAMES = st.sampled_from(["kind", "token", "endpoint", "keys", "app", "p256dh"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_whatever_a_profile_holds_is_read(value: object) -> None:
    found = devices_of({"devices": value})
    assert are_references(references(found)) or not found
    changed({"devices": value}, ADD, value)
    changed({"devices": value}, REMOVE, value)
