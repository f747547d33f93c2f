"""The outside world of a simulation: a provider that answers as told, and scripted HTTP answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.ledger import Request
from orchestrator.definitions.scenario_items import FetchAnswer, HttpItem

_ANSWERS = {
    "accept": Answer("accepted"),
    "reject": Answer("rejected", "refused by the simulated provider"),
    "timeout": Answer("unknown", "the answer was lost"),
    "bounce": Answer("accepted", None, ("bounce",)),
    "complaint": Answer("accepted", None, ("complaint",)),
}


class SinkChannel:
    """A provider that takes everything until told otherwise, and knows no keys.

    `width`: how many messages it is given together; one after another unless nothing can come of an answer.
    """

    idempotent = False
    rate: float | None = None

    def __init__(self, width: int = 1) -> None:
        self.width = width
        self.outcome = "accept"

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """The answer that the scenario last set, for each."""
        return [_ANSWERS[self.outcome]] * len(messages)

    def close(self) -> None:
        """There is nothing to give back."""


class ScriptedHttp:
    """Answers fetches and webhooks: a test's own answers by step id or `as`, else the last matching `http` item.

    Unscripted, a fetch gets no answer (so it takes its default) and a webhook gets 204.
    """

    def __init__(self, answers: Mapping[str, FetchAnswer]) -> None:
        self._answers = answers
        self._scripted: list[HttpItem] = []

    def script(self, item: HttpItem) -> None:
        """From now on."""
        self._scripted.insert(0, item)

    def call(self, request: Request) -> tuple[int | None, Any, str | None]:
        """(status, body, error)."""
        named = self._answers.get(request.step) or self._answers.get(request.as_name or "")
        if named is not None:
            return _answer(named.kind, 200, named.value)
        for item in self._scripted:
            if fnmatchcase(request.url, item.url_glob):
                return _answer(item.kind, item.status, item.json)
        return (204, None, None) if request.kind == "webhook" else (None, None, "no answer was scripted")


def _answer(kind: str, status: int, body: Any) -> tuple[int | None, Any, str | None]:
    if kind == "timeout":
        return None, None, "no answer in time"
    if kind == "error":
        return 500, None, None
    return status, body, None
