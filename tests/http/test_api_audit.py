"""What is operated over the API leaves a row in the audit log, with the name of the key that asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.app import make_app
from orchestrator.runtime.keys import KeyWanted, make_key
from orchestrator.runtime.scopes import SCOPES
from tests.http.api_seeded import PEOPLE, seeded
from tests.http.installation import BASE

ANA = f"/customers/{PEOPLE[0]}"


def test_every_operation_leaves_a_row_that_says_whose_key_it_was(tmp_path: Path) -> None:
    site = seeded(tmp_path / "api.db")
    site.api_keys = frozenset({"first"})
    _, secret = make_key(site.store, KeyWanted("back office", "api", tuple(SCOPES)), site.real, "ana")
    client = TestClient(make_app(site), base_url=BASE, headers={"Authorization": f"Bearer {secret}"})
    [journey, *_] = site.store.index.project.journeys
    made = client.post("/api/v1/keys", json={"name": "till", "kind": "api", "scopes": ["coupons:write"]}).json()
    operations: tuple[tuple[str, str, str, Any], ...] = (
        ("pause", "POST", f"/journeys/{journey}/pause", None),
        ("resume", "POST", f"/journeys/{journey}/resume", None),
        ("stop", "POST", f"/journeys/{journey}/stop", None),
        ("suppress", "POST", "/suppressions", {"channel": "email", "address": "x@example.com"}),
        ("unsuppress", "DELETE", "/suppressions/email/x@example.com", None),
        ("key revoked", "DELETE", f"/keys/{made['id']}", None),
        ("customer export", "GET", f"{ANA}/export", None),
        ("customer erase", "DELETE", ANA, None),
    )
    for action, method, path, body in operations:
        before = site.store.audit_tail(1)[0].id
        answer = client.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code < 300, (path, answer.text)
        [row] = site.store.audit_rows(before, 10)
        assert (row.action, row.actor) == (action, "key back office"), row
    listed = client.get("/api/v1/audit", params={"limit": 200}).json()["items"]
    assert [row["action"] for row in listed[-8:]] == [action for action, *_ in operations]
    assert site.store.verify_audit(listed[-3]["hash"]).fault is None
    site.store.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_log_cannot_be_written_over_the_api(tmp_path: Path, method: str) -> None:
    site = seeded(tmp_path / "api.db")
    client = TestClient(make_app(site), base_url=BASE)
    assert client.request(method, "/api/v1/audit", json={}).status_code == 405
    assert client.request(method, "/api/v1/audit/1", json={}).status_code == 404
    site.store.close()
