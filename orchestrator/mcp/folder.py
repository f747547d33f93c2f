"""Files of the project by names that an assistant gives: never outside of the folders that are meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.core.expression.nearest import nearest
from orchestrator.errors import UsageError

READ: Final = ("journeys", "templates", "scenarios")
WRITTEN: Final = ("journeys", "templates")
SUFFIXES: Final = (".yaml", ".yml", ".html", ".txt", ".md", ".mjml", ".json", ".csv")
LARGEST: Final = 1 << 20
MOST_LISTED: Final = 500


def inside(root: Path, given: str, folders: Sequence[str], *, new: bool = False) -> Path:
    """The file of that name below one of the folders. Raises UsageError for every other place, and for what is not
    there unless it is `new`. Links are followed before it is judged where a file is."""
    pure = PurePosixPath(given)
    parts = pure.parts
    if (
        not parts
        or pure.is_absolute()
        or "\\" in given
        or len(given) > 400
        or any(part in ("..", "") or part.startswith(".") or not part.isprintable() for part in parts)
        or parts[0] not in folders
        or len(parts) < 2
    ):
        there = ", ".join(f"{name}/" for name in folders)
        raise UsageError(f"{given[:200]!r} is no file below {there}", "outside")
    if pure.suffix not in SUFFIXES:
        raise UsageError(f"{given!r} has none of the endings {', '.join(SUFFIXES)}", "outside")
    base = root.resolve()
    path = (base / pure).resolve()
    if not any(path.is_relative_to(base / name) for name in folders) or (path.exists() and not path.is_file()):
        raise UsageError(f"{given!r} leads out of the project", "outside")
    if not new and not path.exists():
        found = nearest(given, list(listed(root, folders)))
        raise UsageError(f"there is no file {given}" + (f"; did you mean {found}?" if found else ""), "file_missing")
    return path


def listed(root: Path, folders: Sequence[str]) -> Iterator[str]:
    """Names of the files that may be read, in order, at most MOST_LISTED."""
    base, count = root.resolve(), 0
    for folder in folders:
        for path in sorted((base / folder).rglob("*")):
            name = path.relative_to(base).as_posix()
            hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
            if hidden or path.suffix not in SUFFIXES or not path.is_file() or path.is_symlink():
                continue
            yield name
            count += 1
            if count == MOST_LISTED:
                return


def read_text(path: Path) -> str:
    """The text of a file. Raises UsageError where it is too large or no text."""
    with path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise UsageError(f"{path.name} has more than {LARGEST:,} bytes", "too_large")
    return raw.decode("utf-8", "replace")
