"""`/api/v1/audit`: what operators and keys did."""

from __future__ import annotations

from typing import Any

from orchestrator.http.api import values
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api


class AuditShown(values.Shown):
    """Something that was done, in the chain of hashes; `orchestrator audit verify` checks it."""

    id: int
    at: values.InstantShown
    actor: str
    action: str
    detail: str
    hash: str


def add_audit_api(api: Api) -> None:
    """Reading alone."""
    api.add(
        "GET", "/audit", _list, scope="audit:read", tag="audit", summary="What operators did", answer=AuditShown,
        description="In the order in which it was done.", paged=True,
    )  # fmt: skip


def _list(call: Call) -> Answer:
    after = 0 if call.after is None else int(call.after[0])
    found = call.store.audit_rows(after, call.limit + 1)
    return call.page(found, _shown, lambda row: (row.id,))


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "at": values.shown(row.at), "actor": row.actor, "action": row.action, "detail": row.detail,
        "hash": row.hash,
    }  # fmt: skip
