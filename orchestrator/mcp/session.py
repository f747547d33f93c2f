"""A session with one assistant: requests in, answers out, one after another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

from orchestrator import __version__
from orchestrator.errors import OrchestratorError, ProjectInvalid
from orchestrator.mcp import live_tools, project_tools, run_tools, write_tools
from orchestrator.mcp.limits import TimeUp, at_most, clipped
from orchestrator.mcp.project_tools import problem_lines
from orchestrator.mcp.protocol import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LONGEST_LINE,
    MOST_IN_BATCH,
    NO_SUCH_METHOD,
    VERSIONS,
    Json,
    Refusal,
    Request,
    failure,
    id_of,
    line_of,
    read_message,
    read_request,
    result,
)
from orchestrator.mcp.resources import list_resources, read_resource
from orchestrator.mcp.tool import Place, Tool

INSTRUCTIONS: Final = (
    "Customer journeys written as files. Begin with list_journeys; read docs:///language.md before you write a "
    "journey; lint, test and simulate what you propose; explain with why. Nothing here sends a message or deploys."
)
_BATCHES: Final = ("2025-03-26", "2024-11-05")
"""Versions in which a message may be a list."""
_log = logging.getLogger(__name__)


class Session:
    """What one client may call. `writes`: the tools that write files are among them."""

    def __init__(self, place: Place, writes: bool) -> None:
        self._place = place
        every = (*project_tools.TOOLS, *run_tools.TOOLS, *live_tools.TOOLS, *(write_tools.TOOLS if writes else ()))
        self._tools: Mapping[str, Tool] = {tool.name: tool for tool in every}
        self._version = VERSIONS[0]
        self._methods: Mapping[str, Callable[[Json], Json]] = {
            "initialize": self._initialize,
            "ping": lambda params: {},
            "tools/list": lambda params: {"tools": [tool.described() for tool in self._tools.values()]},
            "tools/call": self._call,
            "resources/list": lambda params: {"resources": list_resources(self._place.root)},
            "resources/templates/list": lambda params: {"resourceTemplates": []},
            "resources/read": lambda params: {"contents": [read_resource(self._place.root, params.get("uri"))]},
        }

    def serve(self, lines: BinaryIO, out: BinaryIO) -> None:
        """Until the client closes its end."""
        while line := lines.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                while (rest := lines.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
            if not line.strip():
                continue
            answer = self.answer(line)
            if answer is not None:
                out.write(line_of(answer))
                out.flush()

    def answer(self, line: bytes) -> Any:
        """What a line is answered by; None: by nothing."""
        try:
            message = read_message(line)
        except Refusal as refusal:
            return failure(None, refusal)
        if not isinstance(message, list):
            return self._one(message)
        if self._version not in _BATCHES or not 0 < len(message) <= MOST_IN_BATCH:
            told = f"no list of messages in version {self._version}, and never more than {MOST_IN_BATCH}, or none"
            return failure(None, Refusal(INVALID_REQUEST, told))
        answers = [answer for one in message if (answer := self._one(one)) is not None]
        return answers or None

    def _one(self, message: Any) -> Json | None:
        try:
            request = read_request(message)
            if request is None or (request.notification and request.method not in self._methods):
                return None
            found = self._done(request)
            return None if request.notification else result(request.id, found)
        except Refusal as refusal:
            silent = isinstance(message, dict) and "method" in message and "id" not in message
            return None if silent else failure(id_of(message), refusal)

    def _done(self, request: Request) -> Json:
        method = self._methods.get(request.method)
        if method is None:
            raise Refusal(NO_SUCH_METHOD, f"there is no method {request.method[:100]!r} here")
        try:
            return method(request.params)
        except Refusal:
            raise
        except Exception:
            _log.exception("%s failed", request.method)
            raise Refusal(INTERNAL_ERROR, "this is a bug of ours; the server's standard error tells more") from None

    def _initialize(self, params: Json) -> Json:
        asked = params.get("protocolVersion")
        self._version = asked if asked in VERSIONS else VERSIONS[0]
        return {
            "protocolVersion": self._version,
            "capabilities": {"tools": {"listChanged": False}, "resources": {"listChanged": False, "subscribe": False}},
            "serverInfo": {"name": "orchestrator", "version": __version__},
            "instructions": INSTRUCTIONS,
        }

    def _call(self, params: Json) -> Json:
        name = params.get("name")
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            raise Refusal(INVALID_PARAMS, f"there is no tool {str(name)[:100]!r}; tools/list tells all")
        began = time.perf_counter()
        text, failed = self._text(tool, params.get("arguments") or {})
        spent = time.perf_counter() - began
        _log.info("%s: %s, %d characters, %.2f s", tool.name, "refused" if failed else "answered", len(text), spent)
        return {"content": [{"type": "text", "text": clipped(text)}], "isError": failed}

    def _text(self, tool: Tool, given: Any) -> tuple[str, bool]:
        """What the tool says, and whether it could not be done."""
        try:
            arguments = tool.checked(given)
            with at_most(self._place.seconds):
                return tool.run(self._place, arguments), False
        except TimeUp:
            return f"{tool.name} was ended after {self._place.seconds:g} s; ask for less at once", True
        except ProjectInvalid as error:
            return problem_lines(error.problems), True
        except (OrchestratorError, OSError) as error:
            return self._place.masks.text(str(error)), True
        except Exception as error:
            if type(error).__name__ == "StoreBusy":
                return "the database is busy; ask again", True
            raise
