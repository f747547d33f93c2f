"""What a deploy changes, for people and for machines: journeys with their versions, and other files."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.runtime.deployment import JourneyChange
    from orchestrator.stores.protocol import Overview, Snapshot

MOST_FILES_NAMED = 12
_MARKS = {"new": "+", "changed": "~", "removed": "-"}


class Plan(NamedTuple):
    """What is about to change. `files`: (what, path) of all files that differ."""

    journeys: list[JourneyChange]
    files: list[tuple[str, str]]
    news: bool


def running_of(overview: Overview) -> dict[str, int]:
    """Enrollments that go on, by journey."""
    found: Counter[str] = Counter()
    for (journey, status), count in overview.enrollments.items():
        if status not in ("completed", "exited"):
            found[journey] += count
    return dict(found)


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
    for change in plan.journeys:
        versions = " -> ".join(version[:12] for version in change.versions if version is not None)
        running = f", {number_of(change.running, 'enrollment')} running" if change.running else ""
        stays = {"changed": " (they go on in the version they entered)", "removed": " (they go on; nobody enters)"}
        words = stays.get(change.what, "") if change.running else ""
        terminal.say(f"{_MARKS[change.what]} {change.what:<8} {change.journey}  {versions}{running}{words}")
    others = [(what, path) for what, path in plan.files if not _is_journey(path, plan)]
    for what, path in others[:MOST_FILES_NAMED]:
        terminal.say(f"{_MARKS[what]} {what:<8} {path}")
    if len(others) > MOST_FILES_NAMED:
        terminal.say(f"  and {number_of(len(others) - MOST_FILES_NAMED, 'more file', 'more files')}")


def _is_journey(path: str, plan: Plan) -> bool:
    names = {change.journey for change in plan.journeys}
    return path.startswith("journeys/") and path.rsplit("/", 1)[-1].removesuffix(".yaml") in names


def plan_as_dict(plan: Plan, digest: str, done: bool) -> dict[str, Any]:
    """The plan for machines."""
    return {
        "digest": digest,
        "changed": plan.news,
        "deployed": done,
        "journeys": [
            {
                "journey": change.journey,
                "what": change.what,
                "from_version": change.versions[0],
                "to_version": change.versions[1],
                "running": change.running,
            }
            for change in plan.journeys
        ],
        "files": [{"what": what, "path": path} for what, path in plan.files],
    }


def actor() -> str:
    """Who did it, for the audit: the account on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
