"""Rendering: a template variant and the values frozen in a message's row give the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
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
from orchestrator.templating.html_parts import Html
from orchestrator.templating.inlining import inline_rendered
from orchestrator.templating.mjml import compile_rendered
from orchestrator.templating.plain_text import text_of, tidy
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
            found = self._compiled[key] = Compiled(variant, self._asset_url)
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
        extras = extras or {}
        code = self.compiled(variant)
        language = variant.locale or self._locale
        values = self._values(code, frozen, extras, language)
        subject = self._header(code, "subject", code.subject, values, extras)
        preheader = code.preheader.render(values, LONGEST_TEXT) if code.preheader is not None else None
        preheader = _one_line(preheader) if preheader else None
        html, text = self._bodies(code, values, preheader)
        if append_footer and variant.channel == "email":
            html, text = self._footed(code, html, text, extras, language)
        sender = reply_to = None
        if code.sender is not None or "from" in extras:
            sender = self._header(code, "from", code.sender, values, extras)
        if code.reply_to is not None or "reply_to" in extras:
            reply_to = self._header(code, "reply_to", code.reply_to, values, extras)
        if not code.fields:
            return Rendered(subject, preheader, text, html, sender, reply_to)
        fields = tuple((key, part.render(values, LONGEST_TEXT)) for key, part in code.fields.items())
        return Rendered(subject, preheader, text, html, sender, reply_to, fields)

    def _values(self, code: Compiled, frozen: Mapping[str, Any], extras: Mapping[str, Any], language: str) -> Named:
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

    def _header(
        self, code: Compiled, name: str, part: Part | None, values: Named, extras: Mapping[str, Any]
    ) -> str | None:
        given = extras.get(name)
        if given is None:
            if part is None:
                return None
            given = part.render(values, LONGEST_TEXT)
        try:
            if name == "subject" or code.variant.channel != "email":  # an SMS is sent by a name or a number
                return one_line(str(given))
            return address_line(str(given), several=name == "reply_to")
        except HeaderRefused as error:
            raise RenderError(f"{name}: {error}", code.variant.path) from None

    def _bodies(self, code: Compiled, values: Named, preheader: str | None) -> tuple[str | None, str]:
        html: str | None = None
        finish = code.finish
        if code.html is not None and finish is not None:
            hidden = values["_preheader"] = _hidden(preheader) if preheader else _NOTHING
            html = code.html.render(values, LONGEST_HTML)
            if finish.compile_late or finish.inline_late:
                html = _finished_late(html, code.variant, finish, str(hidden))
        if code.text is None:
            return html, text_of(html or "")
        text = code.text.render(values, LONGEST_TEXT)
        return html, tidy(text) if code.text_derived and code.text.constant is None else text

    def _footed(
        self, code: Compiled, html: str | None, text: str, extras: Mapping[str, Any], language: str
    ) -> tuple[str | None, str]:
        url = extras.get("unsubscribe_url")
        if not url:
            raise RenderError(
                "there is no unsubscribe link for this message; it is not sent without one", code.variant.path
            )
        brand = extras.get("brand") or self._brand
        footer = footer_of(str(brand.get("name") or ""), str(brand.get("address") or ""), language)
        with_html, with_text = with_footer(html or "", text, footer, str(url))
        return (None if html is None else with_html), with_text


@lru_cache(maxsize=1024)
def _one_line(text: str) -> str:
    """Text on one line; remembered, like all that follows from a preheader, because most of them never change."""
    return " ".join(text.split())


@lru_cache(maxsize=1024)
def _hidden(preheader: str) -> Markup:
    return Markup(f'<div style="{_PREHEADER_STYLE}">{escape(preheader)}</div>')


def _finished_late(source: str, variant: TemplateVariant, finish: Html, hidden: str) -> str:
    """What could not be done before: MJML with the preheader's place, and styles."""
    try:
        html = source
        if finish.compile_late:
            language = f' lang="{variant.locale}"' if variant.locale else ""
            html = compile_rendered(source).replace(' lang="und"', language)
            if hidden and not finish.own_preview:
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
