"""The tables of docs/api.md that are made from the code: scopes and routes. Run as a module, it writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from orchestrator.http.api.frame import PREFIX
from orchestrator.http.api.routes import add_api_routes
from orchestrator.runtime.scopes import SCOPES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
_HEADS = ("| scope | lets |\n|---|---|\n", "| route | does | scope |\n|---|---|---|\n")


def with_tables(text: str, service: Any) -> str:
    """The page with its tables as they have to be."""
    scopes = [f"| `{scope}` | {words[0].lower()}{words[1:]} |" for scope, words in SCOPES.items()]
    operations = add_api_routes(FastAPI(), service).operations
    routes = [f"| `{o.method} {PREFIX}{o.path}` | {o.summary} | `{o.scope}` |" for o in operations]
    for head, rows in zip(_HEADS, (scopes, routes), strict=True):
        before, _, rest = text.partition(head)
        assert rest, head
        lines = rest.split("\n")
        end = next(place for place, line in enumerate(lines) if not line.startswith(("|", "<!--")))
        text = before + head + "\n".join([*rows, *lines[end:]])
    return text


if __name__ == "__main__":
    from tests.http.installation import installation

    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), installation()), encoding="utf-8")
