"""`orchestrator import list NAME FILE` and `orchestrator import upload NAME FILE`: who is on a list, and rows for the
journeys that wait for them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.deploying import actor
from orchestrator.cli.import_rejects import FirstFew, Rejects
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import nearest_file
from orchestrator.cli.terminal import Terminal
from orchestrator.definitions.mapping_rows import RowUnusable, identifier, jsonable
from orchestrator.definitions.table_readers import HIDDEN_COLUMN, ROW_NUMBER, Row, read_rows
from orchestrator.errors import UsageError
from orchestrator.runtime.customer_table import IDS
from orchestrator.runtime.imports import ImportCounts, mark_done
from orchestrator.runtime.lists import (
    change_list_once,
    check_list,
    check_replaced,
    check_upload,
    leave_others_once,
    mark_of,
    upload_once,
)

if TYPE_CHECKING:
    from orchestrator.stores.protocol import Store

MOST_REJECTS_SHOWN: Final = 5


class ListRows:
    """A row names a customer who is on a list, or is taken off it. `keep` collects who the table names."""

    def __init__(self, name: str, member: bool, keep: set[int] | None) -> None:
        self._name = name
        self._member = member
        self._keep = keep

    def prepare(self, path: Path) -> None:
        """Where everybody else leaves the list, all rows are looked at: an import that was broken off, too, knows them
        all."""
        if self._keep is None:
            return
        for row in read_rows(path):
            try:
                self._keep.add(mark_of(_whose(row)))
            except RowUnusable:
                continue
        if not self._keep:  # such as a table without its first line
            raise UsageError(
                f"no row of {path} names a customer, so that everybody would leave '{self._name}'; the table needs a "
                "first line with a column `customer` or `id`. To empty a list, take its customers off with --remove",
                "nobody_named",
            )

    def made_of(self, row: Row) -> list[Any]:
        """(row, customer)."""
        return [(row[ROW_NUMBER], _whose(row))]

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Through the inbox: a turn changes who is on the list."""
        done = change_list_once(store, self._name, [customer for _, customer in made], self._member, now)
        refused = tuple((made[place][0], why) for place, why in done.refused)
        return ImportCounts(done.taken, done.duplicates, done.created, refused)


class UploadRows:
    """A row enters its customer with its columns as `entry`. `digest` names this table, so that it counts once."""

    def __init__(self, name: str, digest: str) -> None:
        self._name = name
        self._digest = digest

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(row, customer, values)."""
        values: dict[str, Any] = {}
        for column, value in row.items():
            if column != ROW_NUMBER and value not in (None, ""):
                values[ROW_NUMBER if column == HIDDEN_COLUMN else column] = jsonable(value)
        return [(row[ROW_NUMBER], _whose(row), values)]

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Through the inbox: a turn decides who enters."""
        rows = [(customer, values, f"{self._digest[:16]}:{number}") for number, customer, values in made]
        done = upload_once(store, self._name, rows, now)
        refused = tuple((made[place][0], why) for place, why in done.refused)
        return ImportCounts(done.taken, done.duplicates, done.created, refused)


def run_list(args: argparse.Namespace, name: str, file: Path, terminal: Terminal) -> int:
    """Imports what was not imported yet of an import that was broken off."""
    from orchestrator.cli.import_rows import TableImport, digest_of_file
    from orchestrator.wiring.installation import installation, real_now

    if args.mapping is not None or args.trigger:
        raise UsageError(f"`import {args.kind}` takes neither --mapping nor --trigger: journeys hear of each row")
    if args.replace and args.remove:
        raise UsageError("--replace and --remove cannot stand together")
    if args.kind == "upload" and (args.replace or args.remove):
        raise UsageError("--replace and --remove are for lists: what was uploaded cannot be taken back")
    if not file.exists():
        raise UsageError(f"there is no file {file}{nearest_file(file)}", "file_missing")
    with installation(args.project, args.database, args.broker) as place:
        project = place.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        how = "replace" if args.replace else "remove" if args.remove else "add"
        digest = digest_of_file(file, name.encode(), how.encode())
        keep: set[int] | None = set() if args.replace else None
        if args.kind == "list":
            check_list(project, name)
            if args.replace:
                check_replaced(place.store, name)
            rows: ListRows | UploadRows = ListRows(name, not args.remove, keep)
        else:
            check_upload(place.store, name)
            rows = UploadRows(name, digest)
        table = TableImport(place, project, file, None, digest, args.kind, FirstFew(0), made_by=rows)
        if table.done:
            terminal.note(f"the first {number_of(table.done, 'row')} of {file.name} were imported before")
        rejects = Rejects(file.with_name(file.name + ".rejects.jsonl"), done=table.done, most_shown=MOST_REJECTS_SHOWN)
        try:
            with progress_bar(terminal, f"importing {file.name}") as progress:
                done = table.run(rejects, False, progress)
            left = leave_others_once(place.store, name, keep, place.journey_now()) if keep is not None else 0
            if args.kind == "list":  # the same table may be imported again, when the list has changed since
                mark_done(place.store, f"list:{digest[:32]}", 0)
        finally:
            rejects.close()
        detail = f"{name}: {how}, {number_of(done.taken, 'row')} of {file.name}"
        place.store.audit(real_now(), actor(), f"import {args.kind}", detail)
    told = {"kind": args.kind, "name": name, "taken": done.taken, "created": done.created, "left": left}
    _tell({**told, "duplicates": done.duplicates, "rejected": rejects.shown.count}, how, rejects, terminal)
    return 0


def _tell(told: Mapping[str, Any], how: str, rejects: Rejects, terminal: Terminal) -> None:
    terminal.data(told)
    what = {"add": "put on", "replace": "put on", "remove": "taken off"}[how]
    new = f", {number_of(told['created'], 'new customer')}" if told["created"] else ""
    if told["kind"] == "upload":
        terminal.say(f"{number_of(told['taken'], 'row')} uploaded to {told['name']}{new}")
        if told["duplicates"]:
            terminal.say(f"{number_of(told['duplicates'], 'row')} were uploaded before")
    else:
        terminal.say(f"{number_of(told['taken'], 'customer')} {what} {told['name']}{new}")
        if told["left"]:
            terminal.say(f"{number_of(told['left'], 'customer')} whom the table does not name taken off")
    if told["rejected"]:
        terminal.note(f"{number_of(told['rejected'], 'row')} could not be used; see {rejects.path}")
        for line in rejects.shown.first:
            terminal.note(f"  {line}")


def _whose(row: Row) -> str:
    found = next((row[name] for name in IDS if row.get(name) not in (None, "")), None)
    return identifier(found, "`customer`")
