"""What a process has to say: one line an event on stderr, as JSON wherever no person sits before it.

Lines name lanes, channels, journeys, versions and messages by their ids. They hold no personal data: nothing in the
engine says any, and what other programs answer (a mail server, a database) goes through `without_people`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.types import Processor

Shape = Literal["json", "text"]

_ADDRESS: Final = re.compile(r"(?<![^\s<>\"'(),;:])[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
"""Begins where a word does, so that a long word without an @ is looked through once."""
_NUMBER: Final = re.compile(r"(?<![\w.:-])\+?\d(?:[ ()./-]?\d){8,14}(?![\w.:-])")
"""What looks like a telephone number: nine to fifteen digits. Ids and hashes are words of letters and digits."""
_ROW: Final = re.compile(r"\b(?:DETAIL|CONTEXT|STATEMENT|QUERY):.*", re.DOTALL)
"""PostgreSQL repeats the row that it would not take."""
_SHOWN: Final = "[removed]"
_SAY_URLS: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "hpack")
"""Libraries that tell of every call with its whole address, which holds secrets, tokens of devices, and names."""
_PLAIN: Final = frozenset({"level", "logger", "timestamp", "process", "pid"})
_LONGEST: Final = 2_000
"""Characters of one text in a line; tracebacks may be longer."""


def configure_logs(process: str, shape: str, verbose: bool, stream: TextIO | None = None) -> None:
    """Say everything on stderr from now on, instead of whatever was configured before.

    `shape`: json, text, or auto (text on a terminal). `verbose`: more than warnings. `process`: what stands in each
    line as who said it, such as `worker`.
    """
    where = stream if stream is not None else sys.stderr
    json_ = shape == "json" or (shape == "auto" and not where.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Process(process),
        structlog.processors.format_exc_info,
        _without_people,
    ]
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if json_ else _as_text
    handler = logging.StreamHandler(where)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    for name in _SAY_URLS:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Process:
    """Adds who speaks. The id of the process is asked each time: a child that was forked is another one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"], event["pid"] = self._name, os.getpid()
        return event


def _without_people(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name not in _PLAIN and isinstance(value, str):
            event[name] = without_people(value, None if name == "exception" else _LONGEST)
    return event


def without_people(text: str, longest: int | None = _LONGEST) -> str:
    """A text without what looks like an address, a telephone number, or a row of a database."""
    text = _ROW.sub("", text)
    text = _ADDRESS.sub(_SHOWN, text)
    text = _NUMBER.sub(_SHOWN, text).rstrip()
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def _as_text(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """For people: as lines of logs have always looked."""
    exception = event.pop("exception", None)
    head = f"{event.pop('timestamp')} {str(event.pop('level')).upper()} {event.pop('logger')}: {event.pop('event')}"
    event.pop("process"), event.pop("pid")
    more = "".join(f" {name}={value}" for name, value in event.items())
    return f"{head}{more}" + (f"\n{exception}" if exception else "")
