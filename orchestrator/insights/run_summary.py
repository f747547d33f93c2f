"""What a run came to, counted line by line: who entered, what was sent, what was withheld and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.insights.reasons import EXITED, FAILED, REFUSED, WITHHELD

_COUNTED = ("type", "journey", "channel", "template", "reason", "status", "offer", "queue")


def counted_part(line: Mapping[str, Any]) -> dict[str, Any]:
    """All of a line that `RunSummary.add` looks at: little, where lines come from other processes."""
    return {name: line[name] for name in _COUNTED if name in line}


@dataclass(slots=True)
class RunSummary:
    """Counts of a run's lines. Hand each line to `add`."""

    entered: Counter[str] = field(default_factory=Counter)
    completed: Counter[str] = field(default_factory=Counter)
    exited: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    coupons: Counter[tuple[str, str]] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    lines: int = 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Counts one line."""
        self.lines += 1
        match line["type"]:
            case "message":
                self.messages[line["channel"], line["template"]] += 1
            case "waiting" | "rescheduled" | "branched" | "assigned":
                self.others[line["type"]] += 1
            case "entered":
                self.entered[line["journey"]] += 1
            case "completed":
                self.completed[line["journey"]] += 1
            case "exited":
                self.exited[line["journey"], line["reason"]] += 1
            case "refused":
                self.refused[line["journey"], line["reason"]] += 1
            case "suppressed":
                self.suppressed[line["reason"]] += 1
            case "held":
                self.held[line["reason"]] += 1
            case "outcome":
                self.outcomes[line["channel"], line["status"]] += 1
            case "coupon" | "released" | "redeemed":
                self.coupons[line["offer"], line["type"]] += 1
            case "task":
                self.tasks[line["queue"]] += 1
            case "goal":
                self.goals[line["journey"]] += 1
            case "failed":
                self.failed[line["reason"]] += 1
            case other:
                self.others[other] += 1

    def as_dict(self) -> dict[str, Any]:
        """The counts for a machine, nested by journey, channel or offer."""
        return {
            "lines": self.lines,
            "entered": dict(self.entered),
            "completed": dict(self.completed),
            "exited": _nested(self.exited),
            "refused": _nested(self.refused),
            "messages": _nested(self.messages),
            "outcomes": _nested(self.outcomes),
            "suppressed": dict(self.suppressed),
            "held": dict(self.held),
            "coupons": _nested(self.coupons),
            "tasks": dict(self.tasks),
            "goals": dict(self.goals),
            "failed": dict(self.failed),
        }


def summary_text(summary: RunSummary) -> str:
    """The counts for people, numbers aligned; sections without a number are left out."""
    issued = Counter({offer: count for (offer, what), count in summary.coupons.items() if what == "coupon"})
    later = Counter({key: count for key, count in summary.coupons.items() if key[1] != "coupon"})
    sections = [
        ("entered", _rows(summary.entered)),
        ("not let in", _rows(summary.refused, REFUSED)),
        ("messages", _rows(summary.messages)),
        ("outcomes", _rows(summary.outcomes)),
        ("suppressed", _rows(summary.suppressed, WITHHELD)),
        ("held back", _rows(summary.held, WITHHELD)),
        ("coupons issued", _rows(issued)),
        ("coupons later", _rows(later)),
        ("tasks", _rows(summary.tasks)),
        ("goals reached", _rows(summary.goals)),
        ("left early", _rows(summary.exited, EXITED)),
        ("came to the end", _rows(summary.completed)),
        ("parked by an error", _rows(summary.failed, FAILED)),
    ]
    shown = [(title, rows) for title, rows in sections if rows]
    if not shown:
        return "nothing happened: no journey was entered"
    first = max(max(len(title) for title, _ in shown), 2 + max(len(row.name) for _, rows in shown for row in rows))
    number = max(len(f"{sum(row.number for row in rows):,}") for _, rows in shown)
    out = []
    for title, rows in shown:
        out.append(f"{title:<{first}}  {sum(row.number for row in rows):>{number},}")
        for row in rows:
            words = f"  {row.words}" if row.words else ""
            out.append(f"  {row.name:<{first - 2}}  {row.number:>{number},}{words}")
    return "\n".join(out)


class _Row(NamedTuple):
    name: str
    number: int
    words: str


def _rows(counts: Counter[Any], words: Mapping[str, str] | None = None) -> list[_Row]:
    """Most first, then by name. The last word of a name is the code that `words` explains."""
    found = []
    for key, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))):
        parts = key if isinstance(key, tuple) else (key,)
        found.append(_Row(" ".join(map(str, parts)), count, (words or {}).get(str(parts[-1]), "")))
    return found


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for (outer, inner), count in counts.items():
        out.setdefault(outer, {})[inner] = count
    return out
