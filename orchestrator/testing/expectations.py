"""Compares what a journey test expects with the lines that its run printed, and says what differs.

Pure: it takes lines as `simulate --json` prints them and gives back failures as text. An expectation is a subset of a
line; listed ones may come in any order; one that stands twice needs two lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from orchestrator.core.time.iso import format_instant, parse_instant
from orchestrator.definitions.expectation import (
    MAIN_KEYS,
    Expectation,
    JourneyTest,
    LineExpectation,
    MessagesExpectation,
    NoMessages,
)
from orchestrator.records import dataclass

Line = Mapping[str, Any]

MOST_LINES_SHOWN = 40
LONGEST_SHOWN = 80
"""Characters of a value."""
_NOT_SHOWN = frozenset({"at", "type", "version", "html"})
"""Keys of a line that would drown the others: a mail's HTML is seen with `preview`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met. `line` is its line in the test's file.

    `message` is one sentence; `details` are the lines of the diff below it, empty where the sentence says it all.
    """

    line: int
    message: str
    details: tuple[str, ...] = ()


def match_expectations(lines: Sequence[Line], test: JourneyTest, start: datetime) -> list[Failure]:
    """What of `test` was not met by `lines`, in the file's order. Lines of other journeys are left out first."""
    own = own_lines(lines, test.journey)
    failures = []
    for place, expected in enumerate(test.expect):
        failure = _check(expected, own, test.expect[:place], start)
        if failure is not None:
            failures.append(failure)
    return failures


def own_lines(lines: Sequence[Line], journey: str) -> list[Line]:
    """The lines of `journey`, and those that belong to no journey (segment, stage, redeemed)."""
    return [line for line in lines if line.get("journey") in (None, journey)]


def render_failures(test: JourneyTest, failures: Sequence[Failure], lines: Sequence[Line], start: datetime) -> str:
    """The report for people: every failure with its diff, then the lines that the journey did print."""
    out = []
    for failure in failures:
        out.append(f"{test.path}:{failure.line}: {failure.message}")
        out.extend(f"    {detail}" for detail in failure.details)
    own = own_lines(lines, test.journey)
    out.append(f"  what {test.journey} did:" if own else f"  {test.journey} printed no line")
    out.extend(f"    {line_text(line, start)}" for line in own[:MOST_LINES_SHOWN])
    if len(own) > MOST_LINES_SHOWN:
        out.append(f"    ... and {len(own) - MOST_LINES_SHOWN} more lines")
    return "\n".join(out)


def line_text(line: Line, start: datetime) -> str:
    """A line as an expectation would be written, with the time that has passed since the start beside the instant."""
    kind = str(line["type"])
    main = MAIN_KEYS.get(kind, "")
    at = parse_instant(str(line["at"]))
    pairs = [f"{kind}: {_shown(line[main]) if main in line else 'true'}"]
    pairs += [f"{key}: {_shown(item)}" for key, item in line.items() if key not in {*_NOT_SHOWN, main}]
    return f"{offset_text(at - start):<12} {line['at']}  {{{', '.join(pairs)}}}"


def offset_text(span: timedelta) -> str:
    """A span as a test would write it: `+0s`, `+30m`, `+1d2h`; d is 24 hours."""
    seconds = int(span.total_seconds())
    sign = "-" if seconds < 0 else "+"
    parts = []
    rest = abs(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0s")


def _check(
    expected: Expectation, lines: Sequence[Line], before: Sequence[Expectation], start: datetime
) -> Failure | None:
    match expected:
        case NoMessages():
            return _check_no_messages(expected, lines, start)
        case MessagesExpectation():
            return _check_messages(expected, lines, start)
        case LineExpectation():
            return _check_line(expected, lines, before, start)
        case _:
            assert_never(expected)


def _check_no_messages(expected: NoMessages, lines: Sequence[Line], start: datetime) -> Failure | None:
    sent = [line for line in lines if line["type"] == "message"]
    if not sent:
        return None
    details = tuple(f"sent  {line_text(line, start)}" for line in sent)
    return Failure(expected.line, f"expected no messages, {_times(len(sent))} sent", details)


def _check_messages(expected: MessagesExpectation, lines: Sequence[Line], start: datetime) -> Failure | None:
    sent = [line for line in lines if line["type"] == "message"]
    templates = [str(line.get("template")) for line in sent]
    if templates == list(expected.templates):
        return None
    details = [f"expected  {_list(expected.templates)}", f"sent      {_list(templates)}"]
    details += [f"sent  {line_text(line, start)}" for line in sent]
    return Failure(expected.line, "other messages were sent, or in another order", tuple(details))


def _check_line(
    expected: LineExpectation, lines: Sequence[Line], before: Sequence[Expectation], start: datetime
) -> Failure | None:
    found = [line for line in lines if not _differences(expected, line)]
    if expected.negated:
        if not found:
            return None
        details = tuple(f"found  {line_text(line, start)}" for line in found)
        return Failure(expected.line, f"expected no {expected.text}, it was there {_times(len(found))}", details)
    if expected.count is not None:
        if len(found) == expected.count:
            return None
        message = f"expected {expected.text} {_times(expected.count)}, it was there {_times(len(found))}"
    else:
        needed = 1 + sum(1 for other in before if _same(other, expected))
        if len(found) >= needed:
            return None
        message = f"expected {expected.text}" + (
            f" {_times(needed)}, it was there {_times(len(found))}" if found else ", it was not there"
        )
    details = tuple(f"found  {line_text(line, start)}" for line in found)
    return Failure(expected.line, message, details or _nearest(expected, lines, start))


def _same(other: Expectation, expected: LineExpectation) -> bool:
    return (
        isinstance(other, LineExpectation)
        and not other.negated
        and (other.type, other.fields, other.at, other.count)
        == (expected.type, expected.fields, expected.at, expected.count)
    )


def _nearest(expected: LineExpectation, lines: Sequence[Line], start: datetime) -> tuple[str, ...]:
    """The line of this type with the fewest differences, and the differences; the earliest on a tie.

    Another main key weighs double: who expects `second` by email wants to hear about `second`, not about an email.
    """
    same_type = [line for line in lines if line["type"] == expected.type]
    if not same_type:
        seen = sorted({str(line["type"]) for line in lines})
        return (f"no {expected.type} line at all" + (f"; there were: {', '.join(seen)}" if seen else ""),)
    main = MAIN_KEYS[expected.type]
    nearest = min(same_type, key=lambda line: sum(1 + (key == main) for key, _, _ in _differences(expected, line)))
    details = [f"nearest  {line_text(nearest, start)}"]
    for key, wanted, actual in _differences(expected, nearest):
        if isinstance(wanted, str) and isinstance(actual, str):
            wanted_text, actual_text = _where_they_differ(wanted, actual)
        else:
            wanted_text, actual_text = _moment(wanted, start), _moment(actual, start)
        details.append(f"  {key}: expected {wanted_text}, was {actual_text}")
    return tuple(details)


_ABSENT = object()


def _differences(expected: LineExpectation, line: Line) -> list[tuple[str, Any, Any]]:
    """(key, expected, actual) for all that differs; the type first."""
    if line["type"] != expected.type:
        return [("type", expected.type, line["type"])]
    out: list[tuple[str, Any, Any]] = []
    if expected.at is not None:
        actual_at = parse_instant(str(line["at"]))
        if actual_at != expected.at:
            out.append(("at", expected.at, actual_at))
    for key, wanted in expected.fields.items():
        actual = line.get(key, _ABSENT)
        if not _matches(wanted, actual):
            out.append((key, wanted, actual))
    return out


def _matches(wanted: Any, actual: Any) -> bool:
    """Equal; mappings as subsets; a number also equals its own text, since YAML reads `1` and people mean either."""
    if actual is _ABSENT:
        return wanted is None
    if isinstance(wanted, datetime):
        try:
            return parse_instant(str(actual)) == wanted
        except ValueError:
            return False
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        return all(_matches(value, actual.get(key, _ABSENT)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list):
        return len(wanted) == len(actual) and all(map(_matches, wanted, actual))
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return wanted is actual
    if isinstance(wanted, str) != isinstance(actual, str) and isinstance(wanted, (str, int, float)):
        return str(wanted) == str(actual)
    return bool(wanted == actual)


def _moment(value: Any, start: datetime) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, datetime):
        return f"{format_instant(value)} ({offset_text(value - start)})"
    return _shown(value)


def _shown(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if value is None:
        return "none"
    return _cut(_flat(value))


def _flat(value: object) -> str:
    """On one line."""
    return " ".join(str(value).split())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def _where_they_differ(wanted: str, actual: str) -> tuple[str, str]:
    """Two texts on one line each; long ones from shortly before their first difference on.

    Where they differ in white space alone, that is what has to be seen.
    """
    flat = _flat(wanted), _flat(actual)
    if flat[0] == flat[1]:
        flat = repr(wanted), repr(actual)
    same = next((n for n, (one, other) in enumerate(zip(*flat, strict=False)) if one != other), min(map(len, flat)))
    start = max(0, same - LONGEST_SHOWN // 4) if max(map(len, flat)) > LONGEST_SHOWN else 0
    first, second = (("..." if start else "") + text[start:] for text in flat)
    return _cut(first), _cut(second)


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(names) + "]"


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"
