"""Splits, holdouts and smears are draws that anybody can check: the formula of the language reference, section 3.

The draws are computed here anew, with hashlib alone, and compared with what a run prints.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from tests.small_projects import lines_of, project_of

CUSTOMERS = [f"c{number}" for number in range(120)] + ["007", "ü-1", "名", "a b", "x\u200by"]
GO = [{"at": "+0s", "customer": customer, "event": "go"} for customer in CUSTOMERS]


def share(*parts: str) -> float:
    """The first 8 bytes of the 64-byte digest over the parts, joined by 0x1F, as a share of 2^64."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode()).digest()[:8], "big") / 2**64


def variants(lines: list[dict[str, Any]], split: str) -> dict[str, str]:
    """What each customer was drawn into."""
    found = [line for line in lines if line["type"] == "assigned" and line["split"] == split]
    return {line["customer"]: line["variant"] for line in found}


@pytest.mark.parametrize(("seed", "salt"), [(7, "7"), (0, "0"), (None, "0"), (2**40, str(2**40))])
def test_a_split_is_the_share_of_salt_name_and_customer(tmp_path: Path, seed: int | None, salt: str) -> None:
    """Control first, then the variants in file order; weights share what control leaves."""
    split = {"name": "subject", "variants": {"z": {"weight": 1}, "a": {"weight": 3}}, "control": 20}
    project = project_of(tmp_path, {"j": {"enter": {"event": "go"}, "steps": [{"split": split}]}})
    scenario = {"timeline": GO} if seed is None else {"seed": seed, "timeline": GO}

    def expected(customer: str) -> str:
        drawn = share(salt, "split", "subject", customer)
        return "control" if drawn < 0.2 else "z" if drawn < 0.4 else "a"

    found = variants(lines_of(project, scenario), "subject")
    assert found == {customer: expected(customer) for customer in CUSTOMERS}
    assert set(found.values()) == {"control", "z", "a"}


def test_a_holdout_is_the_share_of_salt_journey_and_customer(tmp_path: Path) -> None:
    """Held out where the share is below the holdout; each journey draws for itself."""
    journeys = {name: {"enter": {"event": "go"}, "holdout": "30%", "steps": []} for name in ("one", "two")}
    lines = lines_of(project_of(tmp_path, journeys), {"seed": 11, "timeline": GO})
    for name in journeys:
        mine = [line for line in lines if line["journey"] == name]
        expected = {c: "holdout" if share("11", "holdout", name, c) < 0.3 else "treated" for c in CUSTOMERS}
        assert variants(mine, "holdout") == expected


def test_one_name_is_one_draw_in_every_journey(tmp_path: Path) -> None:
    """A split of the same name gives a customer the same place wherever it stands."""
    step = {"split": {"name": "same", "variants": {"a": [], "b": []}}}
    journeys = {name: {"enter": {"event": "go"}, "steps": [step]} for name in ("one", "two")}
    lines = lines_of(project_of(tmp_path, journeys), {"seed": 3, "timeline": GO})
    one, two = (variants([line for line in lines if line["journey"] == name], "same") for name in journeys)
    assert one == two == {c: "a" if share("3", "split", "same", c) < 0.5 else "b" for c in CUSTOMERS}


def test_a_release_is_smeared_within_its_bound(tmp_path: Path) -> None:
    """Held messages leave smeared over `smear`, in the order of nothing but the hash, and the same way every time."""
    quiet = {"quiet_hours": {"from": "09:00", "to": "12:00"}, "settings": {"smear": "15m"}}
    journey = {"topic": "care", "enter": {"event": "go"}, "steps": [{"email": "hello"}]}
    project = project_of(tmp_path, {"j": journey}, project=quiet)
    customers = [{"id": f"c{n}", "email": f"c{n}@example.com", "timezone": "UTC"} for n in range(40)]
    timeline = [{"at": "+0s", "customer": f"c{n}", "event": "go"} for n in range(40)]
    runs = [lines_of(project, {"seed": 5, "customers": customers, "timeline": timeline}) for _ in range(2)]
    assert runs[0] == runs[1]
    noon = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
    sent = [datetime.fromisoformat(line["at"]) for line in runs[0] if line["type"] == "message"]
    assert len(sent) == 40
    assert all(noon <= at < noon + timedelta(minutes=15) for at in sent)
    assert len(set(sent)) > 20
    held = {line["customer"]: line["until"] for line in runs[0] if line["type"] == "held"}
    assert held == {line["customer"]: line["at"] for line in runs[0] if line["type"] == "message"}


def test_a_campaign_is_spread_over_its_time(tmp_path: Path) -> None:
    """Entries fall within `spread`, all with the key of the one local minute, and the same way every time."""
    journey = {"enter": {"once": "2026-03-02T12:00", "timezone": "UTC", "spread": "2h"}, "steps": []}
    project = project_of(tmp_path, {"j": journey})
    customers = [{"id": f"c{n}"} for n in range(60)]
    runs = [lines_of(project, {"seed": 9, "customers": customers}) for _ in range(2)]
    assert runs[0] == runs[1] != lines_of(project, {"seed": 10, "customers": customers})
    noon = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
    entered = [line for line in runs[0] if line["type"] == "entered"]
    assert len({line["customer"] for line in entered}) == len(entered) == 60
    assert {line["key"] for line in entered} == {"2026-03-02T12:00"}
    after = [datetime.fromisoformat(line["at"]) - noon for line in entered]
    assert all(timedelta(0) <= late < timedelta(hours=2) for late in after)
    assert sum(late < timedelta(hours=1) for late in after) in range(15, 46)
