"""`orchestrator profiles` over a real database: classes worked out at once, addresses cleaned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.core.inbox import Grouped
from orchestrator.runtime.ingest import ingest_once
from orchestrator.runtime.sweep import sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.installation import installation

RFM = 'rfm: {event: order_placed, value: total, every: "0 4 * * MON"}\n'


def test_classes_and_clean_addresses(cli: Any, project: Path) -> None:
    refused = cli("profiles", "rfm")
    assert refused.code == 2
    with (project / "journeys" / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(RFM)
    (project / "people.csv").write_text(
        "id,email\nana,Ana@Example.com\nbob,info@example.com\neve,eve at home\n", encoding="utf-8"
    )
    assert cli("db", "upgrade").code == 0 and cli("deploy", "--yes").code == 0
    assert cli("profiles", "rfm", "--json").json == {"run": None}
    done = cli("profiles", "rfm", "--now", "--json").json
    assert (done["run"]["customers"], done["run"]["done"], done["sizes"]) == (0, True, [])
    assert cli("import", "customers", "people.csv").code == 0
    assert cli("profiles", "clean", "--json").json["counts"] == {}, "nothing is known before the engine took the import"
    engine()
    found = cli("profiles", "clean", "--json", "--csv", "found.csv").json["counts"]
    assert found == {"normalised": 1, "invalid": 1, "role": 1}
    rows = (project / "found.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "customer,field,kind,value,proposal"
    assert sorted(row.split(",")[:3] for row in rows[1:]) == [
        ["ana", "email", "normalised"], ["bob", "email", "role"], ["eve", "email", "invalid"],
    ]  # fmt: skip
    engine()
    assert emails() == {"ana": "Ana@Example.com", "bob": "info@example.com", "eve": "eve at home"}, "only looked at"
    assert cli("profiles", "clean", "--apply", "--json").json["counts"] == found
    engine()
    assert emails() == {"ana": "ana@example.com", "bob": "info@example.com", "eve": "eve at home"}
    assert cli("profiles", "clean", "--apply", "--json").json["counts"] == {"invalid": 1, "role": 1}


def test_groups_and_scores_are_shown(cli: Any, project: Path) -> None:
    assert cli("db", "upgrade").code == 0 and cli("deploy", "--yes").code == 0
    assert cli("groups", "list").out.strip() == "there are no groups"
    with installation(Path(".")) as place:
        place.adopt()
        now = place.journey_now()
        bodies = [("ana", Grouped("acme", {"plan": "pro"})), ("li", Grouped("acme")), ("li", Grouped("globex"))]
        ingest_once(place.store, bodies, now)
    engine()
    assert [group["group"] for group in cli("groups", "list", "--json").json["groups"]] == ["acme", "globex"]
    assert cli("groups", "list", "--limit", "1", "--json").json["after"] == "acme"
    assert [group["group"] for group in cli("groups", "list", "--after", "acme", "--json").json["groups"]] == ["globex"]
    shown = cli("groups", "show", "acme", "--json").json
    assert (shown["group"], shown["traits"], shown["members"]) == ("acme", {"plan": "pro"}, 2)
    first = cli("groups", "members", "acme", "--limit", "1", "--json").json
    second = cli("groups", "members", "acme", "--after", first["after"], "--json").json
    assert {row["customer"] for row in first["members"] + second["members"]} == {"ana", "li"} and not second["after"]
    assert cli("groups", "show", "none").code == 2 and cli("groups", "members", "acme", "--after", "x").code == 2
    assert cli("groups", "show").code == 2 and cli("groups", "list", "acme").code == 2
    card = cli("customer", "show", "ana", "--json").json
    assert (card["groups"], card["owner"], card["scores"]) == (["acme"], None, {})
    assert "groups     acme" in cli("customer", "show", "ana").out
    exported = cli("customer", "export", "ana").json
    assert [row["group_id"] for row in exported["group_members"]] == ["acme"]
    assert exported["profile"]["attributes"]["group"] == {"plan": "pro", "id": "acme"}


def engine() -> None:
    """All turns that are due."""
    with installation(Path(".")) as place:
        place.adopt()
        sweep_once(place.store, place.journey_now())
        while turn_once(place.store, place.journey_now()).customers:
            pass


def emails() -> dict[str, str | None]:
    with installation(Path(".")) as place:
        return {id: profile.email for id, profile in place.store.profiles_of(["ana", "bob", "eve"]).items()}
