"""`import catalog`: batches, what cannot be kept, going on after a break, replacing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.import_catalog import CatalogImport
from orchestrator.cli.import_rejects import Rejects
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from tests.stores.contract_catalogs import catalogs_of
from tests.stores.driving import START


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.deploy(catalogs_of(), START)
    return made


def imported(store: MemoryStore, path: Path, replace: bool = False) -> tuple[dict[str, int], int]:
    rule = store.index.project.row_catalogs["products"]
    rejects = Rejects(path.with_suffix(".rejects"), done=0, most_shown=5)
    try:
        told = CatalogImport(store, rule, path, "catalog:test", lambda: START).run(rejects, replace)
    finally:
        rejects.close()
    return told, rejects.shown.count


def table(path: Path, rows: list[str]) -> Path:
    path.write_text("sku,price,stock\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_rows_are_added_and_written_whole(store: MemoryStore, tmp_path: Path) -> None:
    told, rejected = imported(store, table(tmp_path / "feed.csv", ["A,90,4", "N,1.5,", ",1,1", "B,cheap,1"]))
    assert (told["added"], told["changed"], rejected) == (1, 1, 2)
    row = store.catalog_row("products", "A")
    assert row is not None
    assert (row.data["price"], row.data["title"]) == (90, None)
    new = store.catalog_row("products", "N")
    assert new is not None
    assert (new.data["price"], new.data["stock"]) == (1.5, None)


def test_a_replacement_keeps_what_it_cannot_read(store: MemoryStore, tmp_path: Path) -> None:
    told, _ = imported(store, table(tmp_path / "feed.csv", ["A,90,4", "B,cheap,1"]), replace=True)
    assert told["removed"] == 1
    assert [row.key for row in store.catalog_page("products", "", 9)] == ["A", "B"]


def test_an_import_goes_on_where_it_was(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "feed.csv", [f"P{number:04},{number},1" for number in range(2_500)])
    change, calls = store.change_catalog, []

    def failing(*given: Any) -> Any:
        calls.append(len(given[1]))
        if len(calls) == 2:
            raise StoreBusy("gone")
        return change(*given)

    monkeypatch.setattr(store, "change_catalog", failing)
    with pytest.raises(StoreBusy):
        imported(store, path, replace=True)
    assert len(store.catalog_page("products", "", 9_999)) == 1_003, "what was there, and the first batch"
    told, _ = imported(store, path, replace=True)
    assert (told["rows"], told["added"], told["removed"]) == (1_500, 1_500, 3)
    again, _ = imported(store, path)
    assert (again["same"], again["added"]) == (2_500, 0)


@pytest.mark.parametrize("rows", [[], ["A,90,4", ",1,1"], ["A,90,4", "B,1,1,1,1,1"]])
def test_a_replacement_by_half_a_table_deletes_nothing(store: MemoryStore, tmp_path: Path, rows: list[str]) -> None:
    path = table(tmp_path / "feed.csv", rows)
    told, _ = imported(store, path, replace=True)
    assert told["removed"] == 0
    assert [row.key for row in store.catalog_page("products", "", 9)] == ["A", "B", "C"]
