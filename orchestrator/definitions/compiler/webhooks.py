"""`webhooks:` of project.yaml."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.expression.needs import Needs
from orchestrator.core.expression.types import OBJECT, Types
from orchestrator.core.webhooks import LINES, Webhook
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.names import Names, needs_of
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.webhooks import Webhook as WebhookModel
from orchestrator.definitions.source import Path

LINE: Final = "line"
LONGEST: Final = timedelta(seconds=30)
"""An answer: a lane is not held longer by one call (channels/http_caller.py)."""
LEAST_PATIENCE: Final = timedelta(minutes=1)
_is_place: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}").fullmatch
_TYPES: Final = Types(results={LINE: OBJECT})


def compile_webhooks(model: ProjectModel, fields: Fields) -> dict[str, Webhook]:
    """The webhooks by name."""
    return {name: _Compiling(name, given, fields).webhook() for name, given in model.webhooks.items()}


class _Compiling:
    def __init__(self, name: str, model: WebhookModel, fields: Fields) -> None:
        self._name = name
        self._model = model
        self._fields = fields
        self._at: Path = ("webhooks", name)

    def webhook(self) -> Webhook:
        model = self._model
        url, place = self._address(model.url.strip())
        for number, line in enumerate(model.lines):
            if line not in LINES:
                hint = did_you_mean(line, LINES) or f"there are {', '.join(LINES)}"
                self._fields.complain(
                    (*self._at, "lines", number), "bad_value", f"no line of a journal is a '{line}'", hint
                )
        return Webhook(
            self._name,
            url,
            place,
            frozenset(model.lines),
            self._where(model.where),
            model.batch,
            model.personal,
            self._span("timeout", model.timeout, timedelta(seconds=1), LONGEST),
            self._span("give_up_after", model.give_up_after, LEAST_PATIENCE, timedelta(days=30)),
            model.stop_on_failure,
            model.past,
        )

    def _address(self, url: str) -> tuple[str, str]:
        at = (*self._at, "url")
        if "://" not in url:
            if _is_place(url) is None:
                message = f"'{url[:80]}' is neither an address nor a name"
                self._fields.complain(at, "bad_value", message, "write https://..., or a name in ORCHESTRATOR_WEBHOOKS")
            return "", url
        try:
            parts = urlsplit(url)
            host, secret = parts.hostname, "@" in parts.netloc
        except ValueError:
            parts, host, secret = urlsplit(""), None, False
        if secret:
            message = "an address with a password has no place in this file"
            hint = f"set ORCHESTRATOR_WEBHOOKS={self._name}=https://..., and write `url: {self._name}`"
            self._fields.complain(at, "bad_value", message, hint)
        elif parts.scheme not in ("https", "http") or not host or any(c <= " " or c == "\\" for c in url):
            message = f"'{url[:80]}' is no address that can be called"
            self._fields.complain(at, "bad_value", message, "write https://crm.example.com/journeys")
        return url, ""

    def _where(self, source: str | None) -> Expr | None:
        if source is None:
            return None
        at = (*self._at, "where")
        asks = needs_of(source)
        if asks.timed or asks != Needs(results=asks.results) or not asks.results <= {LINE}:
            message = "a webhook's condition knows the line alone, as `line`"
            hint = "write line.journey == 'welcome', line.channel == 'email' ...; a text stands in quotes"
            self._fields.complain(at, "bad_value", message, hint)
            return None
        return self._fields.expression(source, at, Names(_TYPES))

    def _span(self, key: str, text: str, least: timedelta, most: timedelta) -> timedelta:
        found = self._fields.fixed(text, (*self._at, key)) or least
        if not least <= found <= most:
            words = f"from {_words(least)} to {_words(most)}"
            self._fields.complain((*self._at, key), "bad_value", f"`{key}` is {text}; expected is a time {words}")
            return least
        return found


def _words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 86_400}d" if seconds % 86_400 == 0 else f"{seconds}s"
