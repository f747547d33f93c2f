"""Reads one expectation of a journey test from its checked shape to its value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.definitions.expectation import (
    INSTANT_KEYS,
    MAIN_KEYS,
    Expectation,
    LineExpectation,
    MessagesExpectation,
    NoMessages,
)
from orchestrator.definitions.expectation_models import (
    LineBase,
    MessagesModel,
    NoMessagesModel,
    NotModel,
)
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class ExpectationReader:
    """Reads the expectations of one test; offsets count from its `start`."""

    findings: Findings
    start: datetime | None

    def read(self, model: FileModel, raw: dict[str, Any], where: Where) -> Expectation | None:
        """The expectation; `raw` is how the file has it, for messages. None after a finding."""
        line = self.findings.line(where)
        match model:
            case NoMessagesModel():
                return NoMessages(line)
            case MessagesModel(messages=templates):
                return MessagesExpectation(tuple(templates), line)
            case NotModel(not_=LineBase() as inner):
                if inner.count is not None:
                    message = "`count` says how often, and `not` says never"
                    self.findings.error((*where, "not", "count"), "bad_value", message, "keep one of them", key=True)
                return self._line(inner, raw["not"], (*where, "not"), negated=True)
            case LineBase():
                return self._line(model, raw, where, negated=False)
            case _:
                return None

    def _line(self, model: LineBase, raw: dict[str, Any], where: Where, negated: bool) -> LineExpectation:
        kind = next(key for key in raw if key in MAIN_KEYS)
        fields: dict[str, Any] = {}
        for key, value in raw.items():
            if key in {"at", "count"} or (key == kind and value is True):
                continue
            name = MAIN_KEYS[kind] if key == kind else key
            fields[name] = self._value(name, value, (*where, key))
        return LineExpectation(
            type=kind,
            fields=fields,
            at=None if model.at is None else self.findings.instant(model.at, (*where, "at"), self.start),
            negated=negated,
            count=model.count,
            text=expectation_text(raw),
            line=self.findings.line(where),
        )

    def _value(self, name: str, value: Any, where: Where) -> Any:
        """Instants become instants, so that every spelling of one matches."""
        if name in INSTANT_KEYS and isinstance(value, str):
            return self.findings.instant(value, where, self.start)
        return value


def expectation_text(raw: dict[str, Any]) -> str:
    """The expectation as a test's author would write it, on one line."""
    return "{" + ", ".join(f"{key}: {_text(value)}" for key, value in raw.items()) + "}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return expectation_text(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)
