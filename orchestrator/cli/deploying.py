"""What a deploy changes, for people and for machines: the difference, and the files."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.cli.differing import difference_as_dict, lines_for
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.runtime.differences import Difference
    from orchestrator.stores.protocol import Snapshot


class Plan(NamedTuple):
    """What is about to change. `files`: (what, path) of all files that differ. `news`: some file does."""

    difference: Difference
    files: list[tuple[str, str]]
    news: bool


def changed_files(before: Snapshot | None, after: Snapshot) -> list[tuple[str, str]]:
    """Files that are new, changed or removed, by their paths."""
    old: Mapping[str, bytes] = before.files if before is not None else {}
    found = []
    for path in sorted({*old, *after.files}):
        if path not in old:
            found.append(("new", path))
        elif path not in after.files:
            found.append(("removed", path))
        elif old[path] != after.files[path]:
            found.append(("changed", path))
    return found


def show_plan(plan: Plan, terminal: Terminal) -> None:
    """The plan, line by line."""
    if not plan.news:
        terminal.say("nothing differs from what is deployed")
        return
    for line in lines_for(plan.difference):
        terminal.say(line)
    if not plan.difference.any:  # remarks, layout, the order of keys
        for what, path in plan.files:
            terminal.say(f"{what} {path}: nothing that journeys would notice")


def plan_as_dict(plan: Plan, digest: str, done: bool) -> dict[str, Any]:
    """The plan for machines."""
    return {
        **difference_as_dict(plan.difference),
        "digest": digest,
        "changed": plan.news,
        "deployed": done,
        "files": [{"what": what, "path": path} for what, path in plan.files],
    }


def actor() -> str:
    """Who did it, for the audit: the account on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
