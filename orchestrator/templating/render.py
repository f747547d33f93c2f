"""Rendering: a template variant and the values frozen in a message's row give the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from orchestrator.core.time.zones import zone_or_none
from orchestrator.templating.assets import AssetUrl, as_written
from orchestrator.templating.budget import LONGEST_HTML, LONGEST_TEXT, Budget
from orchestrator.templating.code import Named
from orchestrator.templating.compiled import Compiled, Part
from orchestrator.templating.failure import RenderError, ValueRefused
from orchestrator.templating.footer import footer_of, with_footer
from orchestrator.templating.headers import HeaderRefused, address_line, one_line
from orchestrator.templating.inlining import inline_rendered
from orchestrator.templating.mjml import compile_rendered
from orchestrator.templating.plain_text import text_of, tidy
from orchestrator.templating.straight import Making
from orchestrator.templating.structured import finished_field
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant

_UTC = ZoneInfo("UTC")
_ABSENT = object()
_NOTHING = Markup("")
_PREHEADER_STYLE = (
    "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all;"
)


class Rendered(NamedTuple):
    """A message as it is handed over. Emails have `html` (None for a text-only template), the others `text` only.

    `subject`, `from_` and `reply_to` are one line each and hold no control characters; None: neither the template nor
    the step gives one. `fields` are what else a structured template holds (push: url, image, ...).
    """

    subject: str | None
    preheader: str | None
    text: str
    html: str | None
    from_: str | None
    reply_to: str | None
    fields: tuple[tuple[str, str], ...] = ()


rendered_of: Callable[[tuple[Any, ...]], Rendered] = partial(tuple.__new__, Rendered)
"""A message's texts from all fields in their order, without the calls that `Rendered(...)` takes."""


class Renderer:
    """Renders the variants of a library for one brand. Compiles each when it is first needed, and keeps the code."""

    def __init__(
        self,
        library: TemplateLibrary,
        brand: Mapping[str, object],
        locale: str = "en",
        asset_url: AssetUrl = as_written,
    ) -> None:
        """`brand` is project.yaml's: name, url, address, logo. `locale` is the project's, the language of variants
        without one. `asset_url` tells where the pictures of messages are."""
        self.library = library
        self._asset_url = asset_url
        self._brand = dict(brand)
        logo = library.assets.get(str(brand.get("logo") or "").removeprefix("templates/").removeprefix("assets/"))
        if logo is not None:
            self._brand["logo"] = asset_url(logo)
        self._locale = locale
        self._compiled: dict[tuple[str, str, str | None, str], Compiled] = {}

    def compiled(self, variant: TemplateVariant) -> Compiled:
        """The variant's code. Raises RenderError where its file has problems."""
        key = (variant.channel, variant.name, variant.locale, variant.content_hash)
        found = self._compiled.get(key)
        if found is None:
            making = Making(_zone, _one_line, _hidden, self._brand, variant.locale or self._locale)
            found = self._compiled[key] = Compiled(variant, self._asset_url, making)
        return found

    def render(
        self,
        variant: TemplateVariant,
        frozen: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
        *,
        append_footer: bool = False,
    ) -> Rendered:
        """One message. `frozen` holds a value for each key of `variant.uses`.

        `extras` may hold: unsubscribe_url, view_url, preferences_url, survey, message, brand, locale (names in the
        template); timezone (name or ZoneInfo, for date filters; UTC without); subject, from, reply_to (the step's own,
        already worked out, instead of the template's). `append_footer`: the message is promotional or service, so the
        brand's address and extras['unsubscribe_url'] go below an email that does not show the link itself.
        Raises RenderError.
        """
        return self.fill(self.compiled(variant), frozen, extras or {}, append_footer)

    def fill(
        self,
        code: Compiled,
        frozen: Mapping[str, Any],
        extras: Mapping[str, Any],
        append_footer: bool = False,
        standing: tuple[str | None, str | None] = (None, None),
    ) -> Rendered:
        """See `render`, for those who kept what `compiled` gave. `standing` are the sender and the reply addresses of
        messages that have none of their own; they are taken as they are."""
        straight = code.straight
        if straight is None or "brand" in extras or "locale" in extras:
            return self._fill_by_parts(code, frozen, extras, append_footer, standing)
        try:
            subject, preheader, html, text = straight(frozen, extras)
        except Exception:  # what is wrong, and where in the file, is known to the parts' own code
            return self._fill_by_parts(code, frozen, extras, append_footer, standing)
        given = extras.get("subject")
        subject = _in_header(code, "subject", subject if given is None else given)
        if html is not None and code.late:
            html = _finished_late(code, html, preheader)
        text = _plain(code, html, text)
        if append_footer and code.variant.channel == "email":
            html, text = self._footed(code, html, text, extras)
        if code.plain and "from" not in extras and "reply_to" not in extras:
            return rendered_of((subject, preheader, text, html, *standing, ()))
        return self._addressed(code, (subject, preheader, text, html), Named(), extras, standing)

    def _fill_by_parts(
        self,
        code: Compiled,
        frozen: Mapping[str, Any],
        extras: Mapping[str, Any],
        append_footer: bool,
        standing: tuple[str | None, str | None],
    ) -> Rendered:
        values = self._values(code, frozen, extras)
        subject = _header(code, "subject", code.subject, values, extras)
        preheader = code.preheader.render(values, LONGEST_TEXT) if code.preheader is not None else None
        preheader = _one_line(preheader) if preheader else None
        html = written = None
        if code.html is not None:
            values["_preheader"] = _hidden(preheader) if preheader else _NOTHING
            html = code.html.render(values, LONGEST_HTML)
            if code.late:
                html = _finished_late(code, html, preheader)
        if code.text is not None:
            written = code.text.render(values, LONGEST_TEXT)
        text = _plain(code, html, written)
        if append_footer and code.variant.channel == "email":
            html, text = self._footed(code, html, text, extras)
        return self._addressed(code, (subject, preheader, text, html), values, extras, standing)

    def _addressed(
        self,
        code: Compiled,
        texts: tuple[str | None, str | None, str, str | None],
        values: Named,
        extras: Mapping[str, Any],
        standing: tuple[str | None, str | None],
    ) -> Rendered:
        sender = _header(code, "from", code.sender, values, extras)
        reply_to = _header(code, "reply_to", code.reply_to, values, extras)
        fields = tuple((key, _field(code, key, part.render(values, LONGEST_TEXT))) for key, part in code.fields.items())
        return rendered_of((*texts, sender or standing[0], reply_to or standing[1], fields))

    def _values(self, code: Compiled, frozen: Mapping[str, Any], extras: Mapping[str, Any]) -> Named:
        language = code.variant.locale or self._locale
        values = Named(_budget=Budget(), _zone=_zone(extras.get("timezone")), _locale=language)
        for name, key, absent in code.slots:
            value = frozen.get(key, _ABSENT)
            if value is None:
                value = absent
            elif value is _ABSENT:
                place = code.variant.positions.get(key, ())
                line, column = (place[0].line, place[0].column) if place else (1, 1)
                path = place[0].path if place else code.variant.path
                raise RenderError(
                    f"'{key}' is not among the message's values; the row was written for another version",
                    path,
                    line,
                    column,
                )
            values[name] = value
        for name in code.specials:
            if name in extras:
                values[name] = extras[name]
            elif name == "brand":
                values[name] = self._brand
            elif name == "locale":
                values[name] = language
        return values

    def _footed(self, code: Compiled, html: str | None, text: str, extras: Mapping[str, Any]) -> tuple[str | None, str]:
        url = extras.get("unsubscribe_url")
        if not url:
            raise RenderError(
                "there is no unsubscribe link for this message; it is not sent without one", code.variant.path
            )
        brand = extras.get("brand") or self._brand
        language = code.variant.locale or self._locale
        footer = footer_of(str(brand.get("name") or ""), str(brand.get("address") or ""), language)
        return with_footer(html, text, footer, str(url), code.bodied)


def _header(code: Compiled, name: str, part: Part | None, values: Named, extras: Mapping[str, Any]) -> str | None:
    given = extras.get(name)
    if given is None and part is not None:
        given = part.render(values, LONGEST_TEXT)
    return _in_header(code, name, given)


def _in_header(code: Compiled, name: str, given: Any) -> str | None:
    if given is None:
        return None
    try:
        if name == "subject" or code.variant.channel != "email":  # an SMS is sent by a name or a number
            return one_line(str(given))
        return address_line(str(given), several=name == "reply_to")
    except HeaderRefused as error:
        raise RenderError(f"{name}: {error}", code.variant.path) from None


def _field(code: Compiled, key: str, text: str) -> str:
    try:
        return finished_field(key, text)
    except ValueRefused as error:
        raise RenderError(str(error), code.variant.path) from None


def _plain(code: Compiled, html: str | None, text: str | None) -> str:
    """The text part: as it was written, or made from the HTML, now or once for all."""
    if text is None:
        return text_of(html or "")
    return tidy(text) if code.tidied else text


@lru_cache(maxsize=1024)
def _one_line(text: str) -> str:
    """Text on one line; remembered, like all that follows from a preheader, because most of them never change."""
    return " ".join(text.split())


@lru_cache(maxsize=1024)
def _hidden(preheader: str) -> Markup:
    return Markup(f'<div style="{_PREHEADER_STYLE}">{escape(preheader)}</div>')


def _finished_late(code: Compiled, source: str, preheader: str | None) -> str:
    """What could not be done before: MJML with the preheader's place, and styles."""
    variant, finish = code.variant, code.finish
    assert finish is not None
    try:
        html = source
        if finish.compile_late:
            language = f' lang="{variant.locale}"' if variant.locale else ""
            html = compile_rendered(source).replace(' lang="und"', language)
            if preheader and not finish.own_preview:
                hidden = str(_hidden(preheader))
                html = re.sub(r"<body\b[^>]*>", lambda body: body.group() + hidden, html, count=1)
        if finish.inline_late:
            html = inline_rendered(html)
        if len(html) > LONGEST_HTML:
            raise ValueRefused(f"the message grows past {LONGEST_HTML:,} characters")
        return html
    except ValueRefused as error:
        raise RenderError(str(error), variant.path) from None


def _zone(given: object) -> ZoneInfo:
    if isinstance(given, ZoneInfo):
        return given
    return (zone_or_none(given) if isinstance(given, str) else None) or _UTC
