"""`/s/...`: surveys. The links in a mail carry a score, which is preselected; only POST answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import SurveyAnswered
from orchestrator.core.ledger import Message
from orchestrator.core.program import Survey
from orchestrator.http.forms import read_form
from orchestrator.http.languages import Language
from orchestrator.http.links import Linked, linked
from orchestrator.http.page import asked_language, page
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import Told, ingest_once

LONGEST_TEXT: Final = 2_000
"""Characters of an answer in words."""
_SCALES: Final[Mapping[str, range]] = {"nps": range(11), "csat": range(1, 6), "ces": range(1, 8)}


class Answer(NamedTuple):
    """What a form says. `missing`: what it should have said."""

    score: int | None
    text: str | None
    missing: str | None = None


def add_survey_routes(app: FastAPI, service: Service) -> None:
    """GET and HEAD ask, POST answers."""

    def ask(request: Request, token: str) -> Response:
        found = _found(service, token)
        language = _language(service, request, found)
        if found is None:
            return page("gone", language, service, 404)
        kind = _kind_of(service, found.row)
        return _question(service, language, kind, Answer(_score(kind, request.query_params.get("score")), None))

    async def answer(request: Request, token: str) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_answer, service, request, token, form)

    app.add_api_route("/s/{token}", ask, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/s/{token}", answer, methods=["POST"], include_in_schema=False)


def _found(service: Service, token: str) -> Linked | None:
    found = linked(service, token, "survey")
    return found if found is not None and found.row.survey is not None and found.customer is not None else None


def _answer(service: Service, request: Request, token: str, form: Mapping[str, str]) -> Response:
    found = _found(service, token)
    language = _language(service, request, found)
    if found is None:
        return page("gone", language, service, 404)
    row = found.row
    kind = _kind_of(service, row)
    given = _read(kind, form)
    if given.missing is not None:
        return _question(service, language, kind, given, 422)
    assert row.survey is not None
    score = None if given.score is None else float(given.score)
    choice = given.text if kind == "choice" else None
    body = SurveyAnswered(row.survey, score, choice, None if kind == "choice" else given.text, row.id)
    # The same answer again is no second one; another answer to the same message is a change of mind.
    same = f"s-{stable_hash(row.id, str(given.score), given.text or ''):016x}"
    ingest_once(service.store, [Told(row.customer_id, body, same)], service.journey_now())
    service.nudge()
    return page("thanks", language, service)


def _question(service: Service, language: Language, kind: str, given: Answer, status: int = 200) -> Response:
    scale = list(_SCALES.get(kind, ()))
    longest = LONGEST_TEXT
    return page("survey", language, service, status, kind=kind, scale=scale, given=given, longest=longest)


def _read(kind: str, form: Mapping[str, str]) -> Answer:
    score = _score(kind, form.get("score"))
    text = _kept_text(form.get("text", ""))
    if kind in _SCALES:
        return Answer(score, text, None if score is not None else "survey_missing")
    return Answer(None, text, None if text else "survey_empty")


def _score(kind: str, given: str | None) -> int | None:
    known = {str(score): score for score in _SCALES.get(kind, ())}
    return known.get(given or "")


def _kept_text(given: str) -> str | None:
    """The words without what no database keeps."""
    kept = "".join(character for character in given if character != "\x00" and not "\ud800" <= character <= "\udfff")
    return kept.replace("\r\n", "\n").strip()[:LONGEST_TEXT] or None


def _kind_of(service: Service, row: Message) -> str:
    """As the live journey says; a survey whose step is gone asks for a score."""
    journey = service.store.index.project.journeys.get(row.journey)
    number = journey.by_id.get(row.step) if journey is not None else None
    step = journey.steps[number] if journey is not None and number is not None else None
    return step.kind if isinstance(step, Survey) else "nps"


def _language(service: Service, request: Request, found: Linked | None) -> Language:
    locale = found.customer.locale if found is not None and found.customer is not None else None
    return asked_language(service, request, locale or (found.row.locale if found is not None else None))
