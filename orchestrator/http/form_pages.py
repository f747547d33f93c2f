"""`/f/{form}`: forms as hosted pages, for other sites' pages by a small script, and for machines as JSON.

GET and HEAD show, POST takes. Every answer to a post is the same whether or not anybody knows the address.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orchestrator.core.customer import Customer
from orchestrator.core.forms import LONGEST, LONGEST_TEXT, Form, FormField, locales_of, said
from orchestrator.http.form_limits import FormLimits, shared_wait
from orchestrator.http.form_reading import TRAP, Reading, kept_text, read_answers
from orchestrator.http.form_script import script_of
from orchestrator.http.form_taking import named_by, shortened, shown_url, take_form
from orchestrator.http.form_words import FORM_WORDS
from orchestrator.http.forms import LARGEST_FORM, read_form
from orchestrator.http.languages import Language
from orchestrator.http.page import HEADERS, asked_language, page, root_of
from orchestrator.http.problems import HttpRefusal, json_response
from orchestrator.http.raw_body import read_body, unpacked
from orchestrator.http.service import Service
from orchestrator.http.strict_json import read_json, text_of

LONGEST_AGENT: Final = 300
_NOTHING: Final = Reading({}, (), {})
_INPUTS: Final[Mapping[str, tuple[str, str]]] = {
    "email": ("email", "email"), "phone": ("tel", "tel"), "number": ("text", "decimal"), "integer": ("text", "numeric"),
    "date": ("date", ""),
}  # fmt: skip
_COMPLETE: Final[Mapping[str, str]] = {
    "email": "email", "phone": "tel", "first_name": "given-name", "last_name": "family-name", "name": "name",
    "birthday": "bday", "country": "country", "city": "address-level2",
}  # fmt: skip


def add_form_routes(app: FastAPI, service: Service) -> None:
    """GET, HEAD, POST and OPTIONS of /f/{form}, and its script."""
    limits = FormLimits()

    def show(request: Request, name: str) -> Response:
        if name.endswith(".js"):
            form = _form(service, name.removesuffix(".js"))
            return script_of(service, form) if form is not None else Response("// no such form", 404)
        form = _form(service, name)
        if form is None:
            return page("gone", asked_language(service, request), service, 404)
        return _Visit(service, request, form).shown()

    async def take(request: Request, name: str) -> Response:
        form = await run_in_threadpool(_form, service, name)
        if form is None:
            return page("gone", asked_language(service, request), service, 404)
        visit = _Visit(service, request, form)
        if not visit.may_post():
            return visit.told(403, {"ok": False, "code": "origin_refused"})
        try:
            given = await _given(request)
        except HttpRefusal as refusal:
            if visit.is_json:
                return visit.told(refusal.status, {"ok": False, "code": refusal.code, "message": refusal.detail})
            raise
        return await run_in_threadpool(visit.take, given, limits)

    def ask(request: Request, name: str) -> Response:
        form = _form(service, name)
        if form is None:
            return Response(status_code=404)
        visit = _Visit(service, request, form)
        return visit.with_cors(Response(status_code=204 if visit.may_post() else 403))

    path = "/f/{name}"
    app.add_api_route(path, show, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route(path, take, methods=["POST"], include_in_schema=False)
    app.add_api_route(path, ask, methods=["OPTIONS"], include_in_schema=False)


def _form(service: Service, name: str) -> Form | None:
    return service.store.index.project.forms.get(name)


async def _given(request: Request) -> Mapping[str, Any]:
    """What was posted, by name. Raises HttpRefusal."""
    if not _is_json(request):
        return await read_form(request)
    body = unpacked(await read_body(request, LARGEST_FORM), request.headers.get("content-encoding"), LARGEST_FORM)
    given = read_json(text_of(body))
    if not isinstance(given, dict):
        raise HttpRefusal(400, "no_object", 'send an object of fields, such as {"email": "a@example.com"}')
    return given


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


class _Visit:
    """One request to a form."""

    def __init__(self, service: Service, request: Request, form: Form) -> None:
        self.service = service
        self.request = request
        self.form = form
        self.is_json = _is_json(request)
        self.origin = request.headers.get("origin")

    def may_post(self) -> bool:
        """Whether the site whose page posts may do so. Without an Origin it is no page of another site."""
        if self.origin is None or self.origin == "null":
            return not self.is_json or self.origin is None
        return self.origin in self.form.origins or self._is_ours()

    def _is_ours(self) -> bool:
        ours = {self.service.base_url, f"{self.request.url.scheme}://{self.request.headers.get('host', '')}"}
        return any(self.origin == "{0.scheme}://{0.netloc}".format(urlsplit(one)) for one in ours)

    def with_cors(self, answer: Response) -> Response:
        """The headers by which a browser lets another site's page read the answer."""
        answer.headers["Vary"] = "Origin"
        if self.origin is not None and self.origin in self.form.origins:
            answer.headers["Access-Control-Allow-Origin"] = self.origin
            answer.headers["Access-Control-Allow-Methods"] = "POST"
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
            answer.headers["Access-Control-Max-Age"] = "600"
        return answer

    def told(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        """An answer to a machine."""
        return self.with_cors(json_response(document, status, {"Cache-Control": "no-store", **(headers or {})}))

    # --- GET ----------------------------------------------------------------------------------------------------------

    def shown(self) -> Response:
        """The form, with what its address says and, by a signed link, with what is known."""
        query = self.request.query_params
        customer = self._customer(query.get("t"))
        values: dict[str, Any] = {}
        for one in self.form.fields:
            if customer is not None and one.attribute is not None:
                known = (
                    getattr(customer, one.attribute, None)
                    if one.attribute in _OWN
                    else customer.attributes.get(one.attribute)
                )
                values[one.name] = "" if known is None else known
            elif one.name in query and one.type not in ("checkbox",) and one.value is None:
                values[one.name] = kept_text(query[one.name], one.type == "long_text")[:LONGEST]
        return self._page(Reading(values, (), {}), {
            "once": secrets.token_hex(8), "t": query.get("t") if customer is not None else None,
            "next": query.get("next"),
        })  # fmt: skip

    def _customer(self, token: str | None) -> Customer | None:
        id = named_by(self.service, self.form.name, token)
        card = self.service.store.card(id) if id is not None else None
        return card.customer if card is not None else None

    def _language(self) -> Language:
        return asked_language(self.service, self.request)

    def _locale(self, given: object = None) -> str:
        """The form's own language that was asked for, else the page's."""
        asked = given if isinstance(given, str) else self.request.query_params.get("lang")
        known = {locale.lower(): locale for locale in locales_of(self.form)}
        tag = (asked or "")[:40].lower()
        while tag and tag not in known:
            tag = tag.rpartition("-")[0]
        return known[tag] if tag else self._language()

    def _page(
        self, reading: Reading, kept: Mapping[str, Any], status: int = 200, problem: str = "some_wrong"
    ) -> Response:
        form, locale, language = self.form, self._locale(), self._language()
        query = {"lang": locale} if "lang" in self.request.query_params else {}
        boxes = [
            {"name": box.name, "wording": said(box.wording, locale), "required": box.required,
             "ticked": box in reading.ticked, "wrong": reading.wrong.get(box.name)}
            for box in form.consents
        ]  # fmt: skip
        answer = page(
            "form", language, self.service, status, switch=self._switch(kept),
            title=said(form.title, locale) or form.name,
            intro=said(form.intro, locale), fields=[self._field(one, reading, locale) for one in form.fields],
            boxes=boxes, button=said(form.button, locale) or FORM_WORDS[language]["button"], w=FORM_WORDS[language],
            wrong=bool(reading.wrong) or status >= 400, problem=problem, trap=TRAP,
            kept=[(name, value) for name, value in kept.items() if value],
            action=f"{root_of(self.request)}/f/{form.name}" + (f"?{urlencode(query)}" if query else ""),
        )  # fmt: skip
        # A browser follows the redirect of a form only to where the form may be sent.
        origins = {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in form.redirects}
        policy = HEADERS["Content-Security-Policy"]
        leads = " ".join(["form-action 'self'", *sorted(origins)])
        answer.headers["Content-Security-Policy"] = policy.replace("form-action 'self'", leads)
        return answer

    def _switch(self, kept: Mapping[str, Any]) -> str:
        """What the address of the page in the other language says beside it: whose it is, and what it is filled in
        with. What somebody typed into the page stays out of addresses."""
        given = self.request.query_params
        asked = {one.name: given[one.name] for one in self.form.fields if one.name in given}
        asked |= {name: value for name in ("t", "next") if isinstance(value := kept.get(name), str) and value}
        asked.pop("lang", None)
        return f"{urlencode(asked, errors='replace')}&" if asked else ""

    def _field(self, one: FormField, reading: Reading, locale: str) -> dict[str, Any]:
        value = reading.values.get(one.name)
        kind, mode = _INPUTS.get(one.type, ("text", ""))
        return {
            "name": one.name, "type": one.type, "input": kind, "mode": mode,
            "label": said(one.label, locale), "required": one.required,
            "value": (one.value if one.type == "hidden" and one.value is not None else "" if value is None else value),
            "options": [(key, said(words, locale) or key) for key, words in one.options.items()],
            "complete": _COMPLETE.get(one.attribute or "", ""), "wrong": reading.wrong.get(one.name),
            "longest": LONGEST_TEXT if one.type == "long_text" else LONGEST,
        }  # fmt: skip

    # --- POST ---------------------------------------------------------------------------------------------------------

    def take(self, given: Mapping[str, Any], limits: FormLimits) -> Response:
        """Take what was posted."""
        form, locale = self.form, self._locale(given.get("lang"))
        words = FORM_WORDS["zh" if locale.startswith("zh") else "en"]
        client = self.request.client
        ip = client.host if client is not None else None
        bounds, at = (form.most, form.per.total_seconds()), self.service.real_now()
        wait = limits.wait(form.name, ip, *bounds, at.timestamp())
        wait = wait or shared_wait(self.service.store, self.service.secret, form.name, ip, *bounds, at)
        if wait:
            return self._refused(429, given, _NOTHING, "many", words, {"Retry-After": str(wait)})
        if given.get(TRAP) not in (None, ""):
            return self._done(given, locale, words)  # a machine gets the answer that everybody gets
        project = self.service.store.index.project
        token = given.get("t")
        customer = self._customer(token if isinstance(token, str) else None)
        reading = read_answers(form, given, (customer.country if customer is not None else None) or project.country)
        if customer is None and not self._names_somebody(reading) and not reading.wrong:
            first = next((one.name for one in form.fields if one.attribute in ("email", "phone")), form.fields[0].name)
            reading = reading._replace(wrong={first: "required"})
        if reading.wrong:
            return self._refused(422, given, reading, "some_wrong", words)
        proof = {
            "ip": shortened(ip),
            "user_agent": kept_text(self.request.headers.get("user-agent") or "")[:LONGEST_AGENT] or None,
            "url": self._url(given),
        }
        once = given.get("once")
        once = kept_text(once)[:64] if isinstance(once, str) else ""
        known = {name: value for name, value in proof.items() if value is not None}
        if not take_form(
            self.service, form, reading, locale, customer.id if customer is not None else None, once, known
        ):
            return self._refused(422, given, reading, "failed", words)
        return self._done(given, locale, words)

    def _names_somebody(self, reading: Reading) -> bool:
        return any(one.attribute in ("email", "phone") and one.name in reading.values for one in self.form.fields)

    def _url(self, given: Mapping[str, Any]) -> str | None:
        """The page on which the form stood."""
        if self.is_json:
            return shown_url(given.get("url"))
        return f"{self.service.base_url}/f/{self.form.name}"

    def _refused(
        self, status: int, given: Mapping[str, Any], reading: Reading, problem: str, words: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        if self.is_json:
            errors = {name: words[why] for name, why in reading.wrong.items()}
            told = {"ok": False, "code": problem, "message": words[problem], "errors": errors}
            return self.told(status, told, headers)
        raw = {one.name: given[one.name] for one in self.form.fields if isinstance(given.get(one.name), str)}
        shown = {name: kept_text(value, True)[:LONGEST_TEXT] for name, value in raw.items()}
        answer = self._page(
            reading._replace(values={**shown, **reading.values}),
            {name: given.get(name) for name in ("once", "t", "next")}, status, problem,
        )  # fmt: skip
        answer.headers.update(headers or {})
        return self.with_cors(answer)

    def _done(self, given: Mapping[str, Any], locale: str, words: Mapping[str, str]) -> Response:
        form = self.form
        asked = given.get("next")
        target = asked if isinstance(asked, str) and asked in form.redirects else next(iter(form.redirects), None)
        done = said(form.done, locale) or words["done"]
        asks = self._asks(given)
        if self.is_json:
            confirm = words["confirm"] if asks else None
            return self.told(200, {"ok": True, "message": done, "confirm": confirm, "redirect": target})
        if target:
            return RedirectResponse(target, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        language: Language = "zh" if locale.startswith("zh") else "en"
        return self.with_cors(page("form_done", language, self.service, w=words, done=done, asks=asks))

    def _asks(self, given: Mapping[str, Any]) -> bool:
        """Whether a box was ticked whose topic wants it to be confirmed; whoever it is."""
        topics = self.service.store.index.project.topics
        ticked = read_answers(self.form, given, None).ticked
        return any(box.topic in topics and topics[box.topic].confirm is not None for box in ticked)


_OWN: Final = frozenset({"email", "phone", "timezone", "locale", "country", "currency"})
