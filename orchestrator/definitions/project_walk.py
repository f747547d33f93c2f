"""Which files a project has: a walk over `journeys/` and `templates/` that says what each file is, if anything.

Only regular files inside the project are read; symbolic links that lead out, pipes, devices and files whose names clash
on other systems are problems. Hidden files and folders, and texts for people (README, .md), are passed over.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Literal

from orchestrator.core.expression.nearest import nearest
from orchestrator.errors import Problem
from orchestrator.records import dataclass

FileKind = Literal[
    "project", "schema", "segments", "offers", "catalog", "form", "journey", "tests", "template", "asset"
]

TOP_FILES: dict[str, FileKind] = {
    "project.yaml": "project",
    "schema.yaml": "schema",
    "segments.yaml": "segments",
    "offers.yaml": "offers",
}
TEMPLATE_ENDINGS: dict[str, tuple[str, ...]] = {
    "email": (".mjml", ".html", ".txt"),
    "sms": (".txt",),
    "push": (".yaml", ".txt"),
    "whatsapp": (".yaml", ".txt"),
    "wechat": (".yaml", ".txt"),
    "inbox": (".yaml", ".html", ".txt"),
}
"""Channel folders below templates/ and the endings of their templates."""

MOST_FILES = 20_000
_DEEPEST = 12
_FOR_PEOPLE = (".md", ".rst")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the project; `path` is relative to the project folder, with `/`."""

    path: str
    kind: FileKind
    size: int


@dataclass(slots=True)
class Walk:
    """What a walk found: files in the order of their paths, and problems."""

    root: Path
    files: list[FoundFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def note(
        self, path: str, code: str, message: str, hint: str, severity: Literal["error", "warning"] = "error"
    ) -> None:
        """Keeps a problem of a whole file."""
        self.problems.append(Problem(path, 1, 1, code, message, hint, severity))


def walk_project(root: Path) -> Walk:
    """All files of the project at `root`. A folder without journeys/ is a problem, not an error raised."""
    walk = Walk(root)
    if not (root / "journeys").is_dir():
        walk.note("journeys", "no_journeys_folder", "there is no folder journeys/ here", _where_to_go(root))
    for top in ("journeys", "templates"):
        if (root / top).is_dir() and not _leads_out(walk, root / top, top):
            _folder(walk, root / top, top, 0)
    return walk


def _where_to_go(root: Path) -> str:
    if root.name == "journeys":
        return "give the folder above as --project"
    try:
        near = nearest("journeys", [entry.name for entry in os.scandir(root) if entry.is_dir()])
    except OSError:
        near = None
    return (
        f"did you mean to call '{near}' journeys?"
        if near
        else "give the project's folder as --project, or run `orchestrator init`"
    )


def _folder(walk: Walk, folder: Path, path: str, depth: int) -> None:
    if len(walk.files) >= MOST_FILES:
        return
    if depth > _DEEPEST:
        walk.note(path, "unreadable", f"folders are nested more than {_DEEPEST} levels deep", "move these files up")
        return
    for entry in _entries(walk, folder, path):
        inside = f"{path}/{_printable(entry.name)}"
        if entry.name.startswith(".") or entry.name in ("__pycache__", "node_modules"):
            continue
        if entry.is_symlink() and _leads_out(walk, Path(entry.path), inside):
            continue
        if entry.is_dir():
            if entry.is_symlink():
                hint = "put the files themselves here"
                walk.note(inside, "symlink", "folders that are symbolic links are not read", hint, "warning")
            else:
                _folder(walk, Path(entry.path), inside, depth + 1)
        elif not _clashes(walk, inside, entry.name):
            _file(walk, entry, inside)


def _entries(walk: Walk, folder: Path, path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        walk.note(path, "unreadable", f"the folder cannot be read ({error.strerror})", "check its permissions")


def _leads_out(walk: Walk, place: Path, path: str) -> bool:
    try:
        target = place.resolve(strict=True)
    except (OSError, RuntimeError):
        walk.note(path, "symlink", "this symbolic link leads nowhere", "delete it, or put the file itself here")
        return True
    if target.is_relative_to(walk.root.resolve()):
        return False
    walk.note(path, "symlink", "this symbolic link leads out of the project", "put the file itself here")
    return True


def _clashes(walk: Walk, path: str, name: str) -> bool:
    folded = unicodedata.normalize("NFC", path).casefold()
    other = walk._names.setdefault(folded, path)
    if other != path:
        message = f"this and {other} are one file where upper and lower case are not told apart"
        walk.note(path, "case_clash", message, "rename one of them")
        return True
    if any(0xDC80 <= ord(char) <= 0xDCFF for char in name):
        walk.note(path, "file_name", "the file's name is not UTF-8", "rename it")
        return True
    return False


def _file(walk: Walk, entry: os.DirEntry[str], path: str) -> None:
    try:
        status = entry.stat()
    except OSError as error:
        walk.note(path, "unreadable", f"the file cannot be read ({error.strerror})", "check its permissions")
        return
    if not stat.S_ISREG(status.st_mode):
        walk.note(path, "unreadable", "this is no regular file", "only files are read; delete it")
        return
    if entry.name.lower().endswith(_FOR_PEOPLE) or entry.name.upper().startswith("README"):
        return
    kind = _kind(path)
    if kind is None:
        walk.note(path, "unknown_file", "nothing reads this file", _move_hint(path), "warning")
    else:
        walk.files.append(FoundFile(path, kind, status.st_size))


def _kind(path: str) -> FileKind | None:
    top, *rest = path.split("/")
    name = rest[-1]
    if top == "templates":
        if rest[0] == "assets" and len(rest) > 1:
            return "asset"
        endings = TEMPLATE_ENDINGS.get(rest[0], ())
        return "template" if len(rest) > 1 and name.endswith(endings) and endings else None
    if len(rest) == 1 and name in TOP_FILES:
        return TOP_FILES[name]
    if rest[0] == "catalogs" and len(rest) > 1:
        return "catalog" if len(rest) == 2 and name.endswith((".csv", ".yaml")) else None
    if not name.endswith(".yaml"):
        return None
    if rest[0] == "forms" and len(rest) > 1:
        return "form" if len(rest) == 2 else None
    return "tests" if rest[0] == "tests" and len(rest) > 1 else "journey"


def _move_hint(path: str) -> str:
    top, *rest = path.split("/")
    name = rest[-1]
    if name.lower().endswith((".yml", ".yaml")) and not name.endswith(".yaml"):
        return f"rename it to {name.rsplit('.', 1)[0]}.yaml"
    if top == "templates":
        channel = rest[0] if rest[0] in TEMPLATE_ENDINGS else nearest(rest[0], [*TEMPLATE_ENDINGS, "assets"])
        if channel and channel != rest[0]:
            return f"did you mean templates/{channel}/?"
        if channel in TEMPLATE_ENDINGS and len(rest) > 1:
            endings = ", ".join(TEMPLATE_ENDINGS[channel])
            return f"templates of {channel} end in {endings}; pictures go to templates/assets/"
        return "templates lie in templates/<channel>/, other files in templates/assets/"
    if rest[0] == "forms":
        return "forms are .yaml files directly in journeys/forms/"
    if rest[0] == "catalogs":
        return "catalogs are .csv or .yaml files directly in journeys/catalogs/"
    return "journeys are .yaml files; move it out of journeys/"


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
