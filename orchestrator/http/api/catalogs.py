"""`/api/v1/catalogs`: the rows of catalogs that are kept as rows, one by one and many at once."""

from __future__ import annotations

from typing import Any, Final, Literal

from orchestrator.core.catalogs import RowCatalog
from orchestrator.core.expression.nearest import nearest
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.api.values import InstantShown, Shown, shown
from orchestrator.http.problems import HttpRefusal
from orchestrator.runtime.catalogs import RowRefused, checked_key, checked_row
from orchestrator.stores.protocol_catalogs import MOST_EDITS, CatalogRow, Edit, Edited

_ROW: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The row's columns. Those of the catalog's file are known, and their types",
    "additionalProperties": True,
}
_BULK: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["items"],
    "additionalProperties": False,
    "properties": {
        "mode": {"enum": ["upsert", "patch"], "default": "upsert"},
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_EDITS,
            "items": {
                "type": "object",
                "required": ["key"],
                "additionalProperties": False,
                "properties": {
                    "key": {"type": "string", "minLength": 1, "maxLength": 200},
                    "data": {**_ROW, "type": ["object", "null"]},
                    "delete": {"type": "boolean"},
                },
            },
        },
    },
}
_UNKNOWN: Final = {
    404: "There is no such catalog that is kept as rows (`unknown_catalog`), or no such row (`unknown_item`)"
}
_UNFIT: Final = {422: "The row cannot be kept: an unknown column, another type, too large (`bad_row`)"}
LARGEST_BULK: Final = 4 * 1024 * 1024


class CatalogShown(Shown):
    """A catalog that is kept as rows."""

    name: str
    key: str
    columns: dict[str, Literal["number", "text", "truth", "any"]]
    version: int


class ItemShown(Shown):
    """A row."""

    key: str
    data: dict[str, Any]
    version: int
    updated_at: InstantShown


class BulkShown(Shown):
    """What became of the items. `rejected` and `missing` were not changed; all others were, in one transaction."""

    version: int
    added: int
    changed: int
    removed: int
    same: int
    missing: list[str]
    rejected: list[dict[str, Any]]


def add_catalogs_api(api: Api) -> None:
    """List, read, put, patch, delete, and many at once."""
    read: dict[str, Any] = {"scope": "catalogs:read", "tag": "catalogs"}
    write: dict[str, Any] = {"scope": "catalogs:write", "tag": "catalogs"}
    one = "/catalogs/{name}/items/{key}"
    api.add("GET", "/catalogs", _list, answer=CatalogShown, paged=True, summary="List the catalogs", **read)
    api.add("GET", "/catalogs/{name}/items", _items, answer=ItemShown, paged=True, refusals=_UNKNOWN,
            summary="List a catalog's rows", description="In the order of their keys.", **read)  # fmt: skip
    api.add("GET", one, _get, answer=ItemShown, refusals=_UNKNOWN, summary="Read a row", **read)
    api.add("PUT", one, _put, body=_ROW, answer=ItemShown, versioned=True, refusals={**_UNKNOWN, **_UNFIT},
            summary="Write a row", description="What is not given is empty afterwards. Journeys that listen hear "
            "of the change after the catalog's `fold`.", **write)  # fmt: skip
    api.add("PATCH", one, _patch, body=_ROW, answer=ItemShown, versioned=True, refusals={**_UNKNOWN, **_UNFIT},
            summary="Change columns of a row", description="What is not given stays as it is.", **write)  # fmt: skip
    api.add("DELETE", one, _delete, versioned=True, refusals=_UNKNOWN, summary="Delete a row", **write)
    api.add("POST", "/catalogs/{name}/items/bulk", _bulk, body=_BULK, answer=BulkShown,
            refusals={**_UNKNOWN, 422: "The body is not of its schema (`bad_items`)"}, longest_body=LARGEST_BULK,
            summary="Change many rows", description=f"At most {MOST_EDITS:,}, in one transaction. Rows that cannot be "
            "kept are told in `rejected`, and the others are taken.", **write)  # fmt: skip


def _list(call: Call) -> Answer:
    rules = call.store.index.project.row_catalogs
    after = call.after[0] if call.after is not None else ""
    found = [rules[name] for name in sorted(rules) if name > after]
    return call.page(found[: call.limit + 1], lambda rule: _catalog(call, rule), lambda rule: (rule.name,))


def _catalog(call: Call, rule: RowCatalog) -> dict[str, Any]:
    version = call.store.catalog_version(rule.name) or 0
    return {"name": rule.name, "key": rule.key, "columns": dict(rule.columns), "version": version}


def _items(call: Call) -> Answer:
    rule = _rule(call)
    after = call.after[0] if call.after is not None else ""
    found = call.store.catalog_page(rule.name, after, call.limit + 1)
    return call.page(found, _item, lambda row: (row.key,))


def _get(call: Call) -> Answer:
    return Answer(_item(_row(call, _rule(call))))


def _put(call: Call) -> Answer:
    rule = _rule(call)
    known = call.store.catalog_row(rule.name, call.path["key"])
    if known is not None:
        call.must_match(_item(known))
    elif call.if_match:
        raise HttpRefusal(412, "changed_meanwhile", "there is no such row any more")
    return _changed(call, rule, known, _checked(rule, call.path["key"], call.body))


def _patch(call: Call) -> Answer:
    rule = _rule(call)
    known = _row(call, rule)
    call.must_match(_item(known))
    return _changed(call, rule, known, _checked(rule, known.key, call.body, whole=False), merge=True)


def _delete(call: Call) -> Answer:
    rule = _rule(call)
    known = _row(call, rule)
    call.must_match(_item(known))
    made = call.store.change_catalog(rule.name, [Edit(known.key, None, version=_guard(call, known))], call.now)
    _refuse_stale(made)
    call.service.nudge()
    return Answer(status=204)


def _bulk(call: Call) -> Answer:
    rule = _rule(call)
    body = call.body
    mode = body.get("mode", "upsert") if isinstance(body, dict) else None
    items = body.get("items") if isinstance(body, dict) else None
    if (
        not isinstance(items, list)
        or not 0 < len(items) <= MOST_EDITS
        or mode not in ("upsert", "patch")
        or body.keys() - {"mode", "items"}
    ):
        detail = f'send {{"mode": "upsert" or "patch", "items": [...]}} with 1 to {MOST_EDITS:,} items'
        raise HttpRefusal(422, "bad_items", detail)
    edits: list[Edit] = []
    rejected: list[dict[str, Any]] = []
    for place, item in enumerate(items):
        try:
            edits.append(_edit(rule, item, mode == "patch"))
        except RowRefused as error:
            key = item.get("key") if isinstance(item, dict) and isinstance(item.get("key"), str) else None
            rejected.append({"index": place, "key": key, "detail": str(error)})
    made = call.store.change_catalog(rule.name, edits, call.now) if edits else Edited(_version(call, rule))
    call.service.nudge()
    counts = {name: getattr(made, name) for name in ("version", "added", "changed", "removed", "same")}
    return Answer({**counts, "missing": list(made.missing), "rejected": rejected})


def _edit(rule: RowCatalog, item: object, merge: bool) -> Edit:
    if not isinstance(item, dict) or item.keys() - {"key", "data", "delete"}:
        raise RowRefused("an item is {key, data} or {key, delete: true}")
    key = checked_key(item.get("key"))
    gone = item.get("delete", False)
    if not isinstance(gone, bool) or gone == (item.get("data") is not None):
        raise RowRefused("an item is {key, data} or {key, delete: true}")
    return Edit(key, None) if gone else Edit(key, checked_row(rule, key, item["data"], whole=not merge), merge)


def _rule(call: Call) -> RowCatalog:
    rules = call.store.index.project.row_catalogs
    name = call.path["name"]
    rule = rules.get(name)
    if rule is None:
        near = nearest(name, rules)
        raise unknown("unknown_catalog", "no catalog of this name is kept as rows", near)
    return rule


def _row(call: Call, rule: RowCatalog) -> CatalogRow:
    row = call.store.catalog_row(rule.name, call.path["key"])
    if row is None:
        raise unknown("unknown_item", f"the catalog '{rule.name}' has no row of this key")
    return row


def _version(call: Call, rule: RowCatalog) -> int:
    return call.store.catalog_version(rule.name) or 0


def _item(row: CatalogRow) -> dict[str, Any]:
    return {"key": row.key, "data": dict(row.data), "version": row.version, "updated_at": shown(row.updated_at)}


def _checked(rule: RowCatalog, key: str, data: Any, whole: bool = True) -> dict[str, Any]:
    try:
        if checked_key(key) != key:
            raise RowRefused("the key begins or ends with white space")
        return checked_row(rule, key, data, whole)
    except RowRefused as error:
        raise HttpRefusal(422, "bad_row", str(error)) from None


def _guard(call: Call, known: CatalogRow | None) -> int | None:
    """The version that the row must still have when it is written; None: whatever it has."""
    if not call.if_match:
        return None
    return known.version if known is not None else 0


def _changed(
    call: Call, rule: RowCatalog, known: CatalogRow | None, data: dict[str, Any], merge: bool = False
) -> Answer:
    key = call.path["key"]
    made = call.store.change_catalog(rule.name, [Edit(key, data, merge, _guard(call, known))], call.now)
    _refuse_stale(made)
    call.service.nudge()
    return Answer(_item(_row(call, rule)))


def _refuse_stale(made: Edited) -> None:
    if made.stale:
        detail = "this is not what it was when you read it: read it again, and decide anew"
        raise HttpRefusal(412, "changed_meanwhile", detail)
