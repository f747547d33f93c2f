"""From a ledger row to a message's texts: the variant that the row pins, its frozen values, and the signed links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from orchestrator.core.ledger import Message
from orchestrator.core.links import token
from orchestrator.core.program import SURVEY_SCALES, Survey
from orchestrator.core.project import Project
from orchestrator.templating.assets import served_from
from orchestrator.templating.compiled import Compiled
from orchestrator.templating.failure import RenderError
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.sms import signed
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant

_LINKS: Final = {
    "unsubscribe_url": ("u", "unsubscribe"),
    "preferences_url": ("u", "preferences"),
    "view_url": ("v", "view"),
}
"""The links by their names in templates: the page, and what the signature is good for."""
_FOOTER_NAMES: Final = frozenset({"unsubscribe_url"})


class _Plan(NamedTuple):
    """What all messages of one template and class have in common. `links`: the names and pages of those it needs."""

    code: Compiled
    footed: bool
    links: tuple[tuple[str, str, str], ...]
    odd: bool
    """Whether it needs more than links: the survey, or the message itself."""
    standing: tuple[str | None, str | None]
    """The project's sender and reply addresses on the channel."""
    signature: str | None
    """What every text on the channel is signed with."""


class _Live(NamedTuple):
    """One deployment: all of it is exchanged at once."""

    project: Project
    renderer: Renderer
    plans: dict[tuple[str, str], _Plan]


class LedgerRenderer:
    """Renders rows written for the templates of any library it was given; the newest stands for the brand.

    `base_url` is where this installation's public pages answer; `secret` signs the links to them.
    """

    def __init__(self, library: TemplateLibrary, project: Project, base_url: str, secret: bytes) -> None:
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._variants: dict[str, TemplateVariant] = {}
        self._missing: set[str] = set()
        """Hashes of templates that were looked for everywhere, in vain."""
        self._signed = ("", "")
        self.learn: Callable[[], object] = lambda: None
        """Called where a row pins a template that is not known, once for each: another process may have deployed it
        just now, and the row was written after that."""
        self.deploy(library, project)

    def deploy(self, library: TemplateLibrary, project: Project) -> None:
        """Another project is live; rows that pin older templates still render."""
        renderer = Renderer(library, project.brand, project.locale, served_from(self._base_url))
        self._variants.update((variant.content_hash, variant) for variant in library.variants())
        self._live = _Live(project, renderer, {})

    def keep(self, library: TemplateLibrary) -> None:
        """Templates of a deployment that is not live any more."""
        for variant in library.variants():
            self._variants.setdefault(variant.content_hash, variant)

    def render(self, row: Message) -> Rendered:
        """The texts of a message. Raises RenderError."""
        live = self._live
        plan = live.plans.get((row.template_hash, row.klass)) or self._plan(live, row)
        extras: dict[str, Any] = {"timezone": row.zone}
        for name, page, purpose in plan.links:
            extras[name] = self._link(row.id, page, purpose)
        if plan.odd:
            self._add_odd(extras, row, plan.code.specials, live.project)
        email = row.channel == "email"
        if row.subject is not None:
            extras["subject"] = row.subject
        if email and row.sender is not None:
            extras["from"] = row.sender
        if email and row.reply_to is not None:
            extras["reply_to"] = row.reply_to
        # The step's own sender comes first, then the template's, then the project's. Only an email's is an address
        # line; elsewhere it is a name or a number that the provider knows.
        rendered = live.renderer.fill(plan.code, row.values, extras, plan.footed, plan.standing)
        if plan.signature is not None:
            rendered = rendered._replace(text=signed(rendered.text, plan.signature))
        if email or rendered.from_ == (row.sender or plan.standing[0]):
            return rendered
        return rendered._replace(from_=row.sender or plan.standing[0])

    def _plan(self, live: _Live, row: Message) -> _Plan:
        variant = self._variants.get(row.template_hash)
        if variant is None and row.template_hash not in self._missing:
            self.learn()
            variant = self._variants.get(row.template_hash)
        if variant is None:
            self._missing.add(row.template_hash)
            raise RenderError(f"the template {row.channel}/{row.template} is not there any more", row.template, 1, 1)
        code = live.renderer.compiled(variant)
        footed = row.klass != "transactional" and row.channel == "email"
        wanted = variant.specials | _FOOTER_NAMES if footed else variant.specials
        links = tuple((name, *_LINKS[name]) for name in _LINKS if name in wanted)  # a signature costs more than a text
        defaults = live.project.channels.get(row.channel, {})
        odd = bool(wanted & {"message", "survey"})
        standing = (_text(defaults.get("from")), _text(defaults.get("reply_to")))
        plan = _Plan(code, footed, links, odd, standing, _text(defaults.get("signature")))
        live.plans[row.template_hash, row.klass] = plan
        return plan

    def unsubscribe_url(self, row: Message) -> str:
        """Where one click unsubscribes from this message's topic (RFC 8058)."""
        id, url = self._signed
        return url if id == row.id else self._link(row.id, *_LINKS["unsubscribe_url"])

    def _link(self, id: str, page: str, purpose: str) -> str:
        url = f"{self._base_url}/{page}/{token(self._secret, purpose, id)}"
        if purpose == "unsubscribe":
            self._signed = (id, url)  # asked for again in the same breath, for the header of one click
        return url

    def _add_odd(self, extras: dict[str, Any], row: Message, wanted: frozenset[str], project: Project) -> None:
        if "message" in wanted:
            extras["message"] = {"id": row.id, "channel": row.channel}
        if row.survey is not None and "survey" in wanted:
            url = f"{self._base_url}/s/{token(self._secret, 'survey', row.id)}"
            extras["survey"] = {"name": row.survey, "url": url, "links": survey_links(url, _kind_of(project, row))}


def survey_links(url: str, kind: str | None) -> list[dict[str, Any]]:
    """A link for each score of a survey; none where the answer is words or a choice. None: of the usual kind."""
    scale = SURVEY_SCALES.get(kind or "nps", range(0))
    return [{"score": score, "url": f"{url}?score={score}"} for score in scale]


def _kind_of(project: Project, row: Message) -> str | None:
    """The kind of a row's survey as it was deployed last; None: it is not there any more."""
    journey = project.journeys.get(row.journey)
    steps = journey.steps if journey is not None else ()
    return next((step.kind for step in steps if isinstance(step, Survey) and step.name == row.survey), None)


def _text(value: object) -> str | None:
    return str(value) if value else None
