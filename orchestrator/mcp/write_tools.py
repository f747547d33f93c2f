"""Tools that write files of the project: only with --write, and never what is live."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from orchestrator.definitions.text_files import LARGEST_FILE, clean_text
from orchestrator.errors import UsageError
from orchestrator.mcp.folder import WRITTEN, inside
from orchestrator.mcp.live_tools import DRY_RUN
from orchestrator.mcp.project_tools import problem_lines
from orchestrator.mcp.tool import Arguments, Place, Tool, words


def _save(place: Place, given: Arguments) -> str:
    path = inside(place.root, given["path"], WRITTEN, new=True)
    decoded = clean_text(given["path"], given["content"])
    if decoded.text is None:
        return "not saved:\n" + problem_lines(decoded.problems)
    before = path.read_bytes() if path.exists() else None
    _, problems_before = place.lint()
    _put(path, given["content"].encode("utf-8"))
    try:
        _, problems = place.lint()
    except BaseException:
        _restore(path, before)
        raise
    known = {(one.path, one.code, one.message) for one in problems_before if one.severity == "error"}
    caused = [one for one in problems if one.severity == "error" and (one.path, one.code, one.message) not in known]
    if caused and not given.get("despite_errors", False):
        _restore(path, before)
        return "not saved, because it would cause errors (despite_errors saves it all the same):\n" + problem_lines(
            caused
        )
    what = "changed" if before is not None else "new"
    return f"saved ({what}): {given['path']}; nothing is deployed\n{problem_lines(problems)}"


def _put(path: Path, content: bytes) -> None:
    """At once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".saving-", delete=False) as file:
        file.write(content)
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(file.name, mode)
        os.replace(file.name, path)
    except OSError as error:
        Path(file.name).unlink(missing_ok=True)
        raise UsageError(f"{path.name} cannot be written: {error.strerror}", "unwritable") from None


def _restore(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        _put(path, before)


TOOLS = (
    Tool(
        "save_journey_file",
        "Write a file below journeys/ or templates/. Refused where errors would follow. What is live stays as it is "
        "until a person deploys.",
        _save,
        {
            "path": words("Such as journeys/winback.yaml or templates/email/winback.html"),
            "content": words("The whole file", LARGEST_FILE),
            "despite_errors": {"type": "boolean", "description": "Save it even if lint finds new errors"},
        },
        ("path", "content"), writes=True,
    ),
    DRY_RUN,
)  # fmt: skip
