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
from orchestrator.core.program import SURVEY_SCALES
from orchestrator.http.forms import read_form
from orchestrator.http.languages import Language
from orchestrator.http.links import Linked, linked
from orchestrator.http.page import asked_language, page
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import Told, ingest_once
from orchestrator.wiring.surveys import SurveyForm

LONGEST_TEXT: Final = 2_000
"""Characters of an answer in words."""


class Answer(NamedTuple):
    """What a form says. `missing`: what it should have said."""

    score: int | None = None
    choice: str | None = None
    text: str | None = None
    missing: str | None = None


def add_survey_routes(app: FastAPI, service: Service) -> None:
    """GET and HEAD ask, POST answers."""

    def ask(request: Request, token: str) -> Response:
        found = _found(service, token)
        language = _language(service, request, found)
        if found is None:
            return page("gone", language, service, 404)
        asked, params = _form_of(service, found.row), request.query_params
        given = Answer(_score(asked.kind, params.get("score")), _choice(asked, params.get("choice")))
        return _question(service, language, asked, given)

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
    asked = _form_of(service, row)
    given = _read(asked, form)
    if given.missing is not None:
        return _question(service, language, asked, given, 422)
    assert row.survey is not None
    score = None if given.score is None else float(given.score)
    body = SurveyAnswered(row.survey, score, given.choice, given.text, row.id)
    # The same answer again is no second one; another answer to the same message is a change of mind.
    same = f"s-{stable_hash(row.id, str(given.score), given.choice or '', given.text or ''):016x}"
    with service.arrival() as now:
        ingest_once(service.store, [Told(row.customer_id, body, same)], now)
    service.nudge()
    return page("thanks", language, service)


def _question(service: Service, language: Language, asked: SurveyForm, given: Answer, status: int = 200) -> Response:
    scale, choices = list(SURVEY_SCALES.get(asked.kind, ())), list(asked.choices if asked.kind == "choice" else ())
    return page(
        "survey", language, service, status, kind=asked.kind, scale=scale, choices=choices, given=given,
        longest=LONGEST_TEXT,
    )  # fmt: skip


def _read(asked: SurveyForm, form: Mapping[str, str]) -> Answer:
    score, choice = _score(asked.kind, form.get("score")), _choice(asked, form.get("choice"))
    text = _kept_text(form.get("text", ""))
    if asked.kind in SURVEY_SCALES:
        return Answer(score, None, text, None if score is not None else "survey_missing")
    if asked.kind == "choice" and asked.choices:
        return Answer(None, choice, text, None if choice is not None else "survey_unchosen")
    if asked.kind == "choice":  # nothing was named to choose from: the words are the choice
        return Answer(None, text, None, None if text else "survey_empty")
    return Answer(None, None, text, None if text else "survey_empty")


def _choice(asked: SurveyForm, given: str | None) -> str | None:
    return given if given in asked.choices else None


def _score(kind: str, given: str | None) -> int | None:
    known = {str(score): score for score in SURVEY_SCALES.get(kind, ())}
    return known.get(given or "")


def _kept_text(given: str) -> str | None:
    """The words without what no database keeps."""
    kept = "".join(character for character in given if character != "\x00" and not "\ud800" <= character <= "\udfff")
    return kept.replace("\r\n", "\n").strip()[:LONGEST_TEXT] or None


def _form_of(service: Service, row: Message) -> SurveyForm:
    """As it was deployed last, even if its step is gone; one that nobody knows any more asks for words."""
    assert row.survey is not None
    return service.survey(row.journey, row.survey) or SurveyForm("text")


def _language(service: Service, request: Request, found: Linked | None) -> Language:
    locale = found.customer.locale if found is not None and found.customer is not None else None
    return asked_language(service, request, locale or (found.row.locale if found is not None else None))
