"""`orchestrator profiles` over a real database: classes worked out at once, addresses cleaned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RFM = 'rfm: {event: order_placed, value: total, every: "0 4 * * MON"}\n'


def test_classes_and_clean_addresses(cli: Any, project: Path) -> None:
    refused = cli("profiles", "rfm")
    assert refused.code == 2
    with (project / "journeys" / "project.yaml").open("a", encoding="utf-8") as file:
        file.write(RFM)
    (project / "people.csv").write_text("id,email\nana,Ana@Example.com\nbob,info@example.com\n", encoding="utf-8")
    assert cli("db", "upgrade").code == 0 and cli("deploy", "--yes").code == 0
    assert cli("profiles", "rfm", "--json").json == {"run": None}
    done = cli("profiles", "rfm", "--now", "--json").json
    assert (done["run"]["customers"], done["run"]["done"], done["sizes"]) == (0, True, [])
    assert cli("import", "customers", "people.csv").code == 0
    assert cli("profiles", "clean", "--json", "--csv", "found.csv").json["counts"] in ({}, {"normalised": 1, "role": 1})
    assert (project / "found.csv").read_text(encoding="utf-8").startswith("customer,field,kind,value,proposal")
