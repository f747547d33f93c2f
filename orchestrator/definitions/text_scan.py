"""Bounds on a YAML text that are checked before its tree is built.

The C parser builds the tree by recursion and takes the process down with it on some ten thousand nested brackets, so
nesting is measured first. Only what could be nested deeply at all is looked at closely.
"""

from __future__ import annotations

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent, StreamEndEvent

DEEPEST = 64
"""Levels of lists and mappings inside each other."""

_SURELY_FLAT = 1_000
"""So few characters that could open a level cannot harm the parser; the exact bound is then checked on the tree."""


MOST_SEPARATORS = 400_000
"""Commas, colons, brackets and lines of a text, all together: what values stand between, so that reading ends soon."""


def too_many_values(text: str) -> bool:
    """Whether a text may hold more values than are read."""
    return sum(text.count(char) for char in ",:[{\n") > MOST_SEPARATORS


def too_deep_at(text: str) -> tuple[int, int] | None:
    """The line and column (from 1) where nesting passes DEEPEST, or None where the text may be handed to the parser."""
    if sum(text.count(opener) for opener in "[{-?") <= _SURELY_FLAT:
        return None
    parser = CParser(text)
    depth = 0
    try:
        while True:
            event = parser.get_event()
            if event is None or isinstance(event, StreamEndEvent):
                return None
            if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                depth += 1
                if depth > DEEPEST:
                    mark = event.start_mark
                    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                depth -= 1
    except YAMLError:
        return None  # said with its position when the tree is built; up to here the text is flat enough
    finally:
        parser.dispose()
