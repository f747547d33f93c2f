"""A `catalog` trigger listens to a catalog that never changes, or whose changes concern nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.models.triggers import CatalogTrigger
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "catalog_not_rows"
SEVERITY: Final = "error"
_COLUMN: Final = {"price_drop": "price", "back_in_stock": "stock"}


def check(subject: Subject) -> Iterator[Problem]:
    """Doors that never open, because of what project.yaml says of the catalog."""
    if not subject.sure("project") or not subject.sure("catalogs"):
        return
    for file in subject.journey_files:
        for number, trigger in enumerate(file.model.enter):
            if not isinstance(trigger, CatalogTrigger) or trigger.catalog not in subject.files.catalogs:
                continue
            name, at = trigger.catalog, ("enter", number)
            options = subject.files.project.catalogs.get(name)
            if options is None or not options.rows:
                message = f"the catalog '{name}' is a file, whose rows change by a deploy only: nobody would ever enter"
                hint = f"say `catalogs: {{{name}: {{rows: true}}}}` in journeys/project.yaml"
                yield file.problem((*at, "catalog"), CODE, message, hint)
                continue
            if not trigger.who and options.viewed is None:
                message = f"whom a change of '{name}' concerns is said nowhere"
                hint = "add `who: {event: ..., property: ...}`, or `viewed:` to the catalog in journeys/project.yaml"
                yield file.problem((*at, "catalog"), CODE, message, hint)
            columns = subject.files.catalogs[name].columns
            for place, kind in enumerate(trigger.on):
                if kind in _COLUMN and (column := getattr(options, _COLUMN[kind])) not in columns:
                    message = f"`{kind}` looks at the column '{column}', which '{name}' does not have"
                    hint = f"add it to the file, or say `{_COLUMN[kind]}: ...` of the catalog in journeys/project.yaml"
                    yield file.problem((*at, "on", place), CODE, message, hint)
