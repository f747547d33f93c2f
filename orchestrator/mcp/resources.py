"""Resources: files of the project, and the documents where they are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import orchestrator
from orchestrator.errors import UsageError
from orchestrator.mcp.folder import READ, inside, listed, read_text
from orchestrator.mcp.protocol import INVALID_PARAMS, NO_SUCH_RESOURCE, Refusal

PROJECT: Final = "project:///"
DOCS: Final = "docs:///"
_MEDIA: Final = {".yaml": "application/yaml", ".yml": "application/yaml", ".html": "text/html", ".md": "text/markdown",
                 ".json": "application/json", ".csv": "text/csv"}  # fmt: skip
_DOCS_FOLDER: Final = Path(orchestrator.__file__).resolve().parent.parent / "docs"


def list_resources(root: Path) -> list[dict[str, Any]]:
    """Files below journeys/, templates/ and scenarios/, then the documents of a checkout."""
    found = [_described(PROJECT, name) for name in listed(root, READ)]
    return found + [_described(DOCS, name) for name in _pages()]


def read_resource(root: Path, uri: Any) -> dict[str, Any]:
    """What a resource holds. Raises Refusal."""
    if not isinstance(uri, str):
        raise Refusal(INVALID_PARAMS, "uri is a text")
    try:
        if uri.startswith(PROJECT):
            path = inside(root, unquote(uri.removeprefix(PROJECT)), READ)
        elif uri.startswith(DOCS) and (name := unquote(uri.removeprefix(DOCS))) in _pages():
            path = _DOCS_FOLDER / name
        else:
            raise UsageError("there is no such resource; resources/list tells all", "outside")
        text = read_text(path)
    except UsageError as error:
        raise Refusal(NO_SUCH_RESOURCE, str(error), {"uri": uri[:400]}) from None
    return {"uri": uri, "mimeType": _MEDIA.get(path.suffix, "text/plain"), "text": text}


def _described(scheme: str, name: str) -> dict[str, Any]:
    media = _MEDIA.get(Path(name).suffix, "text/plain")
    return {"uri": scheme + quote(name), "name": name, "mimeType": media}


def _pages() -> list[str]:
    """An installed package has no documents beside it."""
    if not (_DOCS_FOLDER / "language.md").is_file():
        return []
    return sorted(path.relative_to(_DOCS_FOLDER).as_posix() for path in _DOCS_FOLDER.rglob("*.md"))
