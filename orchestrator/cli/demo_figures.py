"""What a season came to, counted line by line, and laid out for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.insights.reasons import EXITED, WITHHELD
from orchestrator.insights.run_summary import RunSummary

CHANNELS: Final = ("email", "sms", "push")
MOST_REASONS: Final = 5
"""Rows of a section of reasons; the others are one row."""
ASKING: Final = ("nps_stay", "csat_room", "room_wish")


@dataclass
class SeasonFigures:
    """Hand each line of the journal to `add`. `running`: enrollments under way, from the store."""

    summary: RunSummary = field(default_factory=RunSummary)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages by (journey, channel)."""
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    scores: dict[str, float] = field(default_factory=dict)
    came_back: Mapping[str, int] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """Counts one line."""
        self.summary.add(line)
        if line["type"] == "message":
            self.sent[line["journey"], line["channel"]] += 1
            if line["template"] in ASKING:
                self.asked[line["template"]] += 1

    def note(self, answers: Iterable[tuple[str, float | None]], came_back: Mapping[str, int]) -> None:
        """What came back, once the season is over."""
        for name, score in answers:
            self.answered[name] += 1
            self.scores[name] = self.scores.get(name, 0.0) + (score or 0)
        self.came_back = came_back

    @property
    def messages(self) -> int:
        """All messages that were handed over."""
        return sum(self.sent.values())

    def as_dict(self) -> dict[str, Any]:
        """The counts for a machine."""
        by_journey: dict[str, dict[str, int]] = {}
        for (journey, channel), count in sorted(self.sent.items()):
            by_journey.setdefault(journey, {})[channel] = count
        surveys = {name: {"asked": self.asked[name], "answered": self.answered[name]} for name in ASKING}
        return self.summary.as_dict() | {
            "messages": by_journey,
            "running": dict(self.running),
            "surveys": surveys,
            "came_back": dict(self.came_back),
        }


def figures_text(figures: SeasonFigures, events: Collection[str]) -> list[str]:
    """The counts for people: sections of aligned numbers, fewer than sixty lines. `events`: the tracking plan's."""
    summary = figures.summary
    out = _table("journeys", _journeys(figures), ("entered", *CHANNELS, "goals", "to the end", "left early", "inside"))
    left = Counter[str]()
    where: dict[str, list[str]] = {}
    for (journey, reason), count in sorted(summary.exited.items()):
        left[reason] += count
        where.setdefault(reason, []).append(journey)
    own = {reason: f"as {', '.join(journeys)} says" for reason, journeys in where.items()}
    words = {**own, **dict.fromkeys(events, "this happened first"), **EXITED}
    out += _reasons("left early, and why", left, words)
    out += _reasons("not sent, and why", summary.suppressed, WITHHELD)
    offers = sorted({offer for offer, _ in summary.coupons})
    kinds = ("coupon", "redeemed", "released")
    rows = [(offer, *(summary.coupons[offer, kind] for kind in kinds)) for offer in offers]
    out += _table("coupons", rows, ("issued", "redeemed", "taken back"))
    queues = [(queue, count) for queue, count in sorted(summary.tasks.items())]
    out += _table("tasks for staff", queues, ("opened",))
    out[-1] += f"   {figures.came_back.get('task', 0):,} of all were closed by staff" if queues else ""
    surveys = [(name, figures.asked[name], figures.answered[name], _mean(figures, name)) for name in ASKING]
    out += _table("surveys", [row for row in surveys if row[1]], ("asked", "answered", "average"))
    back = figures.came_back
    outcomes = Counter[str]()
    for (_, status), count in summary.outcomes.items():
        outcomes[status] += count
    seen = f"{back.get('open', 0):,} opened, {back.get('click', 0):,} clicked, {back.get('reply', 0):,} wrote STOP, "
    seen += ", ".join(f"{count:,} {status}" for status, count in sorted(outcomes.items()))
    return [*out, "", f"came back   {seen.rstrip(', ')}"]


def _journeys(figures: SeasonFigures) -> list[tuple[Any, ...]]:
    summary = figures.summary
    exits = Counter[str]()
    for (journey, _), count in summary.exited.items():
        exits[journey] += count
    names = sorted({*summary.entered, *figures.running}, key=lambda name: (-summary.entered[name], name))
    rows = [
        (
            name,
            summary.entered[name],
            *(figures.sent[name, channel] for channel in CHANNELS),
            summary.goals[name],
            summary.completed[name],
            exits[name],
            figures.running.get(name, 0),
        )
        for name in names
    ]
    return [*rows, ("all", *(sum(column) for column in zip(*(row[1:] for row in rows))))] if rows else []


def _mean(figures: SeasonFigures, name: str) -> str:
    scores, count = figures.scores.get(name), figures.answered[name]
    return f"{scores / count:.1f}" if scores and count else "-"


def _reasons(title: str, counts: Counter[str], words: Mapping[str, str]) -> list[str]:
    if not counts:
        return []
    first = counts.most_common(MOST_REASONS)
    rest = sum(counts.values()) - sum(count for _, count in first)
    rows = [(reason, count, words.get(reason, "")) for reason, count in first]
    if rest:
        rows.append(("others", rest, ""))
    name = max(len(title), 2 + max(len(row[0]) for row in rows))
    out = ["", f"{title:<{name}}  {sum(counts.values()):>7,}"]
    return out + [f"  {reason:<{name - 2}}  {count:>7,}  {word}".rstrip() for reason, count, word in rows]


def _table(title: str, rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> list[str]:
    """A title with the heads of its columns, and a row for each name; 0 is a point."""
    if not rows:
        return []
    name = max(len(title), *(len(str(row[0])) + 2 for row in rows))
    widths = [max(len(head), *(len(_cell(row[place])) for row in rows)) for place, head in enumerate(heads, 1)]
    out = ["", f"{title:<{name}}  " + "  ".join(f"{head:>{width}}" for head, width in zip(heads, widths))]
    for row in rows:
        cells = (f"{_cell(value):>{width}}" for value, width in zip(row[1:], widths))
        out.append(f"  {row[0]:<{name - 2}}  " + "  ".join(cells))
    return out


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value else "." if value == 0 else str(value)
