"""`catalogs:` of project.yaml: which catalogs are kept as rows, and what their columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from orchestrator.core.catalogs import Interest, RowCatalog
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.catalogs import Catalog
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import CatalogOptions, ProjectModel
from orchestrator.definitions.models.triggers import Who
from orchestrator.definitions.project_files import ProjectFiles
from orchestrator.definitions.source import Path

Events = Mapping[str, Mapping[str, Any]]
_KINDS: Final[Mapping[type, str]] = {bool: "truth", int: "number", float: "number", str: "text"}


def compile_row_catalogs(model: ProjectModel, files: ProjectFiles, fields: Fields) -> dict[str, RowCatalog]:
    """The catalogs that are kept as rows, by name."""
    found: dict[str, RowCatalog] = {}
    events = None if "schema" in files.unsure else files.schema.events
    for name, options in model.catalogs.items():
        at = ("catalogs", name)
        known = files.catalogs.get(name)
        if known is None:
            if "catalogs" not in files.unsure:
                message = f"there is no catalog '{name}' in journeys/catalogs/"
                hint = did_you_mean(name, list(files.catalogs)) or f"add journeys/catalogs/{name}.csv: its first rows"
                fields.complain(at, "unknown_catalog", message, hint, key=True)
            continue
        if options.rows:
            found[name] = _compiled(name, options, known, fields, at, events)
    return found


def _compiled(
    name: str, options: CatalogOptions, catalog: Catalog, fields: Fields, at: Path, events: Events | None
) -> RowCatalog:
    for key in ("price", "stock"):
        column = getattr(options, key)
        if key in options.model_fields_set and column not in catalog.columns:
            message = f"'{name}' has no column '{column}'"
            hint = did_you_mean(column, catalog.columns) or f"its columns are {', '.join(catalog.columns[:10])}"
            fields.complain((*at, key), "unknown_column", message, hint)
    return RowCatalog(
        name,
        catalog.key,
        {column: _kind(row.get(column) for row in catalog.rows.values()) for column in catalog.columns},
        options.price,
        options.stock,
        fields.fixed(options.fold, (*at, "fold")) or timedelta(0),
        _said(options.viewed, (*at, "viewed"), fields, catalog, events),
        _said(options.bought, (*at, "bought"), fields, catalog, events),
    )


def _said(who: Who | None, at: Path, fields: Fields, catalog: Catalog, events: Events | None) -> Interest | None:
    if who is not None and events is not None and who.event not in events:
        hint = did_you_mean(who.event, list(events)) or "declare it in journeys/schema.yaml"
        fields.complain((*at, "event"), "unknown_event", f"no event '{who.event}' is declared", hint)
    return interest(who, at, fields, catalog.columns, events)


def interest(
    who: Who | None, at: Path, fields: Fields, columns: tuple[str, ...] | None, events: Events | None
) -> Interest | None:
    """Whom a change concerns. `columns`: the catalog's, and `events` the tracking plan's, where they are known."""
    if who is None:
        return None
    if who.field is not None and columns is not None and who.field not in columns:
        message = f"the catalog has no column '{who.field}'"
        hint = did_you_mean(who.field, columns) or f"its columns are {', '.join(columns[:10])}"
        fields.complain((*at, "field"), "unknown_column", message, hint)
    declared = events.get(who.event) if events is not None else None
    name = who.property.split(".")[0]
    if declared is not None and name not in declared:
        hint = did_you_mean(name, list(declared)) or "declare it in journeys/schema.yaml"
        fields.complain(
            (*at, "property"), "unknown_property", f"no property '{name}' of '{who.event}' is declared", hint
        )
    within = fields.fixed(who.within, (*at, "within")) or timedelta(0)
    return Interest(who.event, who.property, within, who.field)


def _kind(values: Any) -> str:
    kinds = {_KINDS.get(type(value), "any") for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else "any"
