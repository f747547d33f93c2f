"""Tables that leave: every kind and format, read back by `import`; broken off and gone on with; harmless; redacted."""

from __future__ import annotations

import csv
import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.harmless_cells import as_it_was, harmless
from orchestrator.definitions.table_writers import FileSink, ParquetSink
from orchestrator.runtime import exports, warehouse
from orchestrator.runtime.exports import COLUMNS
from orchestrator.runtime.sweep import sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.installation import installation
from tests.in_full import IN_FULL

SOME = [
    {"id": "ana", "email": "ana@example.com", "phone": "+351912345678", "tags": ["vip", "=1+1"], "plan": "gold",
     "attributes": {"first_name": "=HYPERLINK(1)", "points": 7, "deep": {"a": [1, None]}}, "created_at": "2026-01-02",
     "consents": {"promotions": {"email": "in"}}},
    {"id": "@bob", "email": "bob@example.com", "locale": "pt", "country": "PT", "attributes": {"first_name": "'=x"}},
    {"id": "chi", "attributes": {"first_name": "+351 is \u2212 not a number"}},
]  # fmt: skip
EVENTS = [
    {"at": "2026-01-03T10:00:00Z", "customer": "ana", "event": "order_completed", "id": "o-1",
     "properties": {"order_id": "o-1", "revenue": 9.5, "note": "\uff1dcmd()"}},
    {"at": "2026-02-03T10:00:00Z", "customer": "@bob", "event": "order_completed", "id": "=o-2", "properties": {}},
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deployed(cli: Any, project: Path) -> Path:
    assert cli("deploy", "--yes").code == 0
    return project


def turns() -> None:
    with installation(Path(".")) as place:
        place.adopt()
        sweep_once(place.store, place.journey_now())
        while turn_once(place.store, place.journey_now()).customers:
            pass


def jsonl(path: str, rows: list[dict[str, Any]]) -> None:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def lived(cli: Any, deployed: Path) -> Path:
    jsonl("c.jsonl", SOME)
    jsonl("e.jsonl", EVENTS)
    assert cli("import", "customers", "c.jsonl", "--json").json["taken"] == 3
    assert cli("import", "events", "e.jsonl", "--json").json["taken"] == 2
    consent = "customer,topic,channel,state,at,source,wording,proof\n"
    Path("k.csv").write_text(
        consent + 'ana,promotions,sms,in,2026-01-05T10:00:00Z,form,"Yes, ""please""","{""ip"": ""203.0.113.7""}"\n'
        "chi,promotions,email,out,2026-01-06T10:00:00Z,page,,\n"
    )
    assert cli("import", "consents", "k.csv", "--json").json["taken"] == 2
    assert cli("suppressions", "add", "=evil@example.com").code == 0
    turns()
    return deployed


def rows_of(cli: Any, kind: str, *more: str) -> list[dict[str, Any]]:
    lines = cli_bytes(cli, "export", kind, "--format", "jsonl", *more).splitlines()
    return sorted([json.loads(line) for line in lines], key=lambda row: json.dumps(row, sort_keys=True))


def cli_bytes(cli: Any, *words: str) -> bytes:
    done = cli(*words, "-o", "x.out")
    assert done.code == 0, done.err
    return Path("x.out").read_bytes()


@pytest.mark.parametrize("ending", ["csv", "parquet", *(["jsonl", "jsonl.gz", "csv.gz"] if IN_FULL else [])])
def test_what_is_exported_is_read_back_elsewhere(cli: Any, lived: Path, ending: str, tmp_path: Path) -> None:
    kinds = ("suppressions", "customers", "consents", "events")
    before = {kind: rows_of(cli, kind) for kind in kinds}
    assert [len(before[kind]) for kind in kinds] == [1, 3, 3, 2]
    for kind in kinds:
        assert cli("export", kind, "-o", f"{kind}.{ending}").code == 0
    elsewhere = f"sqlite:///{tmp_path}/other.db"
    assert cli("db", "upgrade", "--database", elsewhere).code == 0
    assert cli("deploy", "--yes", "--database", elsewhere).code == 0
    for kind in kinds:
        done = cli("import", kind, f"{kind}.{ending}", "--database", elsewhere, "--json")
        assert done.json["rejected"] == 0, done.err
    with installation(Path("."), elsewhere) as place:
        place.adopt()
        sweep_once(place.store, place.journey_now())
        while turn_once(place.store, place.journey_now()).customers:
            pass
    for kind in kinds:
        after = rows_of(cli, kind, "--database", elsewhere)
        for row in (*before[kind], *after):
            row.pop("at" if kind == "suppressions" else "", None)
        assert after == before[kind]


def test_cells_are_harmless_and_numbers_stay(cli: Any, lived: Path) -> None:
    assert cli("export", "customers", "--columns", "id,phone,attributes.first_name", "-o", "c.csv").code == 0
    cells = list(csv.reader(Path("c.csv").read_text().splitlines()))
    assert cells[0] == ["id", "phone", "attributes.first_name"]
    assert sorted(cells[1:]) == sorted(
        [
            ["ana", "+351912345678", "'=HYPERLINK(1)"],
            ["'@bob", "", "''=x"],
            ["chi", "", "'+351 is \u2212 not a number"],
        ]
    )


@given(st.text(max_size=8) | st.from_regex(r"'{0,3}[=+@\t\r\n-].{0,3}"))
def test_harmless_cells_are_read_as_they_were(text: str) -> None:
    made = harmless(text)
    assert as_it_was(made) == text or not made.startswith("'")
    digits = made[1:].replace(" ", "").replace(".", "").isdecimal()
    assert made[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20") or digits


def test_time_bounds_and_stdout(cli: Any, lived: Path) -> None:
    assert len(rows_of(cli, "events", "--since", "2026-02-01")) == 1
    assert len(rows_of(cli, "events", "--since", "2026-01-01", "--until", "2026-02-03T10:00:00Z")) == 1
    lines = cli("export", "events").out.splitlines()
    assert lines[0] == "at,customer,event,id,properties"
    assert sorted(lines[1:])[0].startswith("2026-01-03T10:00:00Z,ana,order_completed,o-1,")


REFUSED = [
    (["customers", "--columns", "emial"], "did you mean email?"),
    (["codes", "--since", "2026-01-01"], "have no instants"),
    (["events", "--since", "soon"], "give 2026-03-01"),
    (["events", "--format", "parquet"], "Parquet is written to a file"),
    (["events", "--partition", "day", "-o", "f"], "only the journal"),
    (["journal", "--incremental", "wh"], "give -o FOLDER"),
    (["journal", "--incremental", "W H", "-o", "f"], "a name has small letters"),
    (["events", "-o", "nowhere/x.csv"], "there is no folder"),
    (["evnts"], "did you mean events?"),
]


def test_what_cannot_be_written_is_said(cli: Any, deployed: Path) -> None:
    for words, said in REFUSED:
        done = cli("export", *words)
        assert done.code == 2 and said in done.err, (words, done.err)


def test_a_redacted_export_names_nobody(cli: Any, lived: Path) -> None:
    for kind in COLUMNS:
        text = cli_bytes(cli, "export", kind, "--format", "csv", "--redact").decode()
        assert text.count("\n") >= 1
        for secret in ("ana", "bob", "chi", "example.com", "351912", "HYPERLINK", "203.0.113", "please"):
            assert secret not in text.replace("channel", ""), (kind, secret)
    [first, *_] = rows_of(cli, "events", "--redact")
    assert first["customer"].startswith("r-") and first["customer"] in {
        r["id"] for r in rows_of(cli, "customers", "--redact")
    }


class Broken(Exception):
    """The process ends here."""


@pytest.mark.parametrize("ending", ["csv", "jsonl.gz", "parquet"] if IN_FULL else ["jsonl.gz"])
@pytest.mark.parametrize("page", [0, 1, 3] if IN_FULL else [1])
def test_an_export_that_was_broken_off_goes_on(
    cli: Any, deployed: Path, ending: str, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonl("c.jsonl", [{"id": f"u{n}", "points": n} for n in range(25)])
    assert cli("import", "customers", "c.jsonl").code == 0
    turns()
    monkeypatch.setattr(exports, "PAGE", 6)
    assert cli("export", "customers", "-o", f"whole.{ending}").code == 0
    kind = ParquetSink if ending == "parquet" else FileSink
    whole, pages = kind.write, [0]

    def breaks(self: Any, rows: Any, state: str) -> None:
        if pages[0] == page:
            if (part := Path(f"c.{ending}.part")).exists():
                part.write_bytes(part.read_bytes() + b"half a ro")
            raise Broken
        pages[0] += 1
        whole(self, rows, state)

    monkeypatch.setattr(kind, "write", breaks)
    assert cli("export", "customers", "-o", f"c.{ending}").code == 3
    assert not Path(f"c.{ending}").exists()
    monkeypatch.setattr(kind, "write", whole)
    assert cli("export", "customers", "-o", f"c.{ending}").code == 0
    if ending == "parquet":
        assert polars.read_parquet("c.parquet").equals(polars.read_parquet("whole.parquet"))
    else:
        read = gzip.decompress if ending.endswith("gz") else bytes
        assert read(Path(f"c.{ending}").read_bytes()) == read(Path(f"whole.{ending}").read_bytes())
    assert sorted(path.name for path in Path(".").glob(f"c.{ending}*")) == [f"c.{ending}"]


# --- the journal, for a warehouse -------------------------------------------------------------------------------------


def lines_in(folder: str) -> list[str]:
    files = sorted(Path(folder).glob("day=*/*.parquet"))
    return [id for path in files for id in polars.read_parquet(path)["id"]]


def breaks_behind(whole: Any) -> Any:
    def breaks(*of: Any) -> None:
        whole(*of)
        raise Broken

    return breaks


def test_the_journal_is_told_once_by_day_whatever_breaks(
    cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "PAGE", 3)
    monkeypatch.setattr(warehouse, "BATCH", 6)
    told: list[int] = []
    for n in range(3):
        at = datetime.now(UTC).isoformat()
        jsonl("e.jsonl", [{"at": at, "customer": f"u{n}{i}", "event": "order_placed", "total": 5} for i in range(5)])
        assert cli("import", "events", "e.jsonl", "--trigger", "--yes").code == 0
        turns()
        if n == 1:  # the process ends after the files of a batch, before its position is kept
            whole = warehouse.Follower._write
            monkeypatch.setattr(warehouse.Follower, "_write", breaks_behind(whole))
            assert cli("export", "journal", "--incremental", "wh", "-o", "j").code == 3
            monkeypatch.setattr(warehouse.Follower, "_write", whole)
        told.append(cli("export", "journal", "--incremental", "wh", "-o", "j", "--json").json["rows"])
    every = [row["id"] for row in rows_of(cli, "journal")]
    assert sum(told) == len(every) > 15 and min(told) > 0
    assert sorted(lines_in("j")) == sorted(every)
    assert cli("export", "journal", "--incremental", "wh", "-o", "j", "--json").json["rows"] == 0
    assert cli("export", "journal", "--partition", "day", "-o", "k", "--json").json["rows"] == len(every)
    assert sorted(lines_in("k")) == sorted(every)
    refused = cli("export", "journal", "--partition", "day", "-o", "k")
    assert refused.code == 2 and "holds days already" in refused.err


def test_the_columns_and_their_types_stay(cli: Any, lived: Path) -> None:
    """Whoever loads them depends on them: docs/import-export.md. A new column goes to the end."""
    found = {}
    for kind in COLUMNS:
        assert cli("export", kind, "-o", f"{kind}.parquet").code == 0
        schema = polars.read_parquet_schema(f"{kind}.parquet")
        found[kind] = {name: str(type_).partition("(")[0] for name, type_ in schema.items()}
    names = {"text": "String", "instant": "Datetime", "integer": "Int64", "list": "List", "json": "String"}
    assert found == {kind: {name: names[type_] for name, type_ in of.items()} for kind, of in COLUMNS.items()}
    assert list(COLUMNS["journal"]) == [
        "id", "at", "customer", "type", "journey", "version", "key", "step", "enrollment", "data",
    ]  # fmt: skip


# --- imports ----------------------------------------------------------------------------------------------------------


def test_rejects_are_a_table_that_can_be_mended(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text("id,email,created_at\nana,ana@example.com,2026-01-01\nbob,bob@example.com,soon\n,x,\n")
    done = cli("import", "customers", "c.csv", "--json")
    assert (done.json["taken"], done.json["rejected"]) == (1, 2)
    path = Path("c.csv.rejects.jsonl")
    path.write_text(path.read_text().replace("soon", "2026-02-02").replace('"id": ""', '"id": "chi"'))
    again = cli("import", "customers", str(path), "--json")
    assert (again.json["taken"], again.json["rejected"]) == (2, 0), again.err
    turns()
    assert {row["id"] for row in rows_of(cli, "customers")} == {"ana", "bob", "chi"}


def test_a_table_comes_from_a_pipe(cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    for expected in (2, 0):
        stream = io.TextIOWrapper(io.BytesIO(b"id,email\nana,ana@example.com\nbob,bob@example.com\n"))
        monkeypatch.setattr(sys, "stdin", stream)
        assert cli("import", "customers", "-", "--json").json["taken"] == expected
