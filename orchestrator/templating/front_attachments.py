"""`attachments:` in the front matter of an email: files of templates/assets, and calendar entries.

attachments:
  - terms.pdf
  - calendar: {start: "{{ entry.check_in }}", end: "{{ entry.check_out }}", title: Your stay}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final, TypeVar

import yaml

from orchestrator.templating.calendar import FIELDS

KEY: Final = "attachments"
MOST: Final = 10
_Value = TypeVar("_Value")
Report = Callable[[str, int, str, str | None], None]
_FORM: Final = "write  attachments: [terms.pdf]  or  - calendar: {start: ..., end: ..., title: ...}"


def read_attachments(
    node: yaml.Node, value: Callable[[yaml.ScalarNode], _Value], base: int, report: Report
) -> Iterator[tuple[str, _Value]]:
    """The entries by their places: `attachments.0.file`, `attachments.1.calendar.start`."""
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if len(items) > MOST:
        report("front_matter", base + node.start_mark.index, f"more than {MOST} attachments", "send fewer, or links")
        return
    for number, item in enumerate(items):
        path, at = f"{KEY}.{number}", base + item.start_mark.index
        if isinstance(item, yaml.ScalarNode):
            yield f"{path}.file", value(item)
            continue
        pairs = item.value if isinstance(item, yaml.MappingNode) else []
        if len(pairs) != 1 or not isinstance(pairs[0][0], yaml.ScalarNode):
            report("front_matter", at, "an attachment is a file or a calendar entry", _FORM)
            continue
        kind, given = str(pairs[0][0].value), pairs[0][1]
        if kind == "file" and isinstance(given, yaml.ScalarNode):
            yield f"{path}.file", value(given)
        elif kind == "calendar" and isinstance(given, yaml.MappingNode):
            yield from _calendar(given, f"{path}.calendar", value, base, report)
        else:
            report("front_matter", at, f"an attachment cannot be '{kind[:40]}'", _FORM)


def _calendar(
    node: yaml.MappingNode, path: str, value: Callable[[yaml.ScalarNode], _Value], base: int, report: Report
) -> Iterator[tuple[str, _Value]]:
    found = set()
    for key_node, value_node in node.value:
        key, at = str(key_node.value), base + key_node.start_mark.index
        if key not in FIELDS:
            near = get_close_matches(key, FIELDS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"possible: {', '.join(FIELDS)}"
            report("unknown_front_matter", at, f"'{key[:40]}' is unknown in a calendar entry", hint)
        elif not isinstance(value_node, yaml.ScalarNode):
            report("front_matter", at, f"'{key}' must be one text", 'write it in quotes: "{{ ... }}"')
        elif key in found:
            report("duplicate_key", at, f"'{key}' stands here a second time", "keep one of the two")
        else:
            found.add(key)
            yield f"{path}.{key}", value(value_node)
    for key in ("start", "title"):
        if key not in found:
            report("front_matter", base + node.start_mark.index, f"a calendar entry needs its `{key}`", _FORM)
