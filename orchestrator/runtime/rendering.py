"""From a ledger row to a message's texts: the variant that the row pins, its frozen values, and the signed links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from orchestrator.channels.protocol import Attachment
from orchestrator.core.ledger import ATTACHMENTS, Message
from orchestrator.core.links import Short, click_token, short_token, token
from orchestrator.core.program import SURVEY_SCALES, Survey
from orchestrator.core.project import Project, Topic, Tracking, Utm
from orchestrator.core.verp import verp_mark
from orchestrator.templating.assets import served_from
from orchestrator.templating.attaching import (
    IMAGES,
    INLINE,
    About,
    File,
    attached,
    is_attaching,
    with_inline_pictures,
)
from orchestrator.templating.compiled import Compiled
from orchestrator.templating.failure import RenderError, ValueRefused
from orchestrator.templating.link_scan import is_own_page, rewritten_html, rewritten_text
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.sms import SmsRules
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant
from orchestrator.templating.tracking import linked_targets, with_pixel, with_short_links, with_tracked_links
from orchestrator.templating.utm import UtmTags, tagged

_LINKS: Final = {
    "unsubscribe_url": ("u", "unsubscribe"),
    "preferences_url": ("u", "preferences"),
    "confirm_url": ("u/confirm", "confirm"),
    "view_url": ("v", "view"),
    "coupon_url": ("k", "coupon"),
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
    sms: SmsRules | None
    """Who signs a text, and what has to stand under it; None: it is none."""


class Dressed(NamedTuple):
    """What of a message is made at its hand-over: its texts with what is tracked, its files, and the signature of its
    bounce address."""

    text: str
    html: str | None
    attachments: Sequence[Attachment] = ()
    bounce_mark: str | None = None


class _Live(NamedTuple):
    """One deployment: all of it is exchanged at once."""

    project: Project
    renderer: Renderer
    plans: dict[tuple[str, str], _Plan]
    untracked: frozenset[str]
    """The topics whose opens and clicks are nobody's business."""


class LedgerRenderer:
    """Renders rows written for the templates of any library it was given; the newest stands for the brand.

    `base_url` is where this installation's public pages answer; `secret` signs the links to them, and, where mail can
    bounce (`bounces`), the addresses that it bounces to. `coupon_pages`: coupons have a page here, which `coupon.url`
    leads to.
    """

    def __init__(
        self,
        library: TemplateLibrary,
        project: Project,
        base_url: str,
        secret: bytes,
        *,
        bounces: bool = True,
        coupon_pages: bool = True,
    ) -> None:
        self._bounces = bounces
        self._coupon_pages = coupon_pages
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
        untracked = frozenset(topic.id for topic in project.topics.values() if not topic.tracking)
        self._live = _Live(project, renderer, {}, untracked)

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
        values = row.values if row.coupon is None or not self._coupon_pages else self._with_page(row)
        rendered = live.renderer.fill(plan.code, values, extras, plan.footed, plan.standing)
        if plan.sms is not None:
            rendered = rendered._replace(text=plan.sms.finished(rendered.text, row.to, row.klass))
        if live.project.tracking.utm is not None:
            rendered = self._with_utm(row, rendered, live.project.tracking.utm)
        if email or rendered.from_ == (row.sender or plan.standing[0]):
            return rendered
        return rendered._replace(from_=row.sender or plan.standing[0])

    def _with_page(self, row: Message) -> Mapping[str, Any]:
        """The values of a message that carries a coupon. The decision knows no secret, and could not sign the address
        of the coupon's page: it is put in here, wherever the template says `coupon.url`."""
        url = self._link(row.id, *_LINKS["coupon_url"])
        begin = f"{str(self._live.project.brand.get('url', '')).rstrip('/')}/k/"
        return {name: _signed(value, begin, url) for name, value in row.values.items()}

    def _with_utm(self, row: Message, rendered: Rendered, utm: Utm) -> Rendered:
        tags = _tags(utm, row.channel, row.journey, row.step)

        def said(url: str) -> str:
            return url if is_own_page(url, self._base_url) else tagged(url, tags)

        html = None if rendered.html is None else rewritten_html(rendered.html, said)
        return rendered._replace(text=rewritten_text(rendered.text, said), html=html)

    def dress(self, row: Message, rendered: Rendered) -> Dressed:
        """What leaves of a message that was rendered. The same row gives the same bytes, so that a retry does; "view in
        browser" and previews show it without all this. Raises RenderError."""
        text, html = rendered.text, rendered.html
        live = self._live
        opens, clicks = _tracked(live, row)
        if row.channel == "sms" and clicks:
            text = with_short_links(text, self._base_url, lambda number: short_token(self._secret, row.id, number))
        if row.channel != "email":
            return Dressed(text, html)
        files = self._files(live, row, rendered) if rendered.fields or ATTACHMENTS in row.values else []
        if html is not None and (IMAGES, INLINE) in rendered.fields:
            variant = (live.plans.get((row.template_hash, row.klass)) or self._plan(live, row)).code.variant
            html, pictures = with_inline_pictures(html, variant.assets, served_from(self._base_url))
            files += pictures
        if html is not None and clicks:
            html = with_tracked_links(html, self._base_url, lambda url: click_token(self._secret, row.id, url))
        if html is not None and opens:
            html = with_pixel(html, f"{self._base_url}/o/{quote(token(self._secret, 'open', row.id))}.gif")
        attachments = [Attachment(*file) for file in files] if files else ()
        return Dressed(text, html, attachments, verp_mark(self._secret, row.id) if self._bounces else None)

    def _files(self, live: _Live, row: Message, rendered: Rendered) -> list[File]:
        """What the template and the step attach. Raises RenderError."""
        frozen = row.values.get(ATTACHMENTS)
        if frozen is None and not any(is_attaching(key) for key, _ in rendered.fields):
            return []
        variant = (live.plans.get((row.template_hash, row.klass)) or self._plan(live, row)).code.variant
        pinned = {asset.name: asset for asset in variant.assets}
        newest = live.renderer.library.assets
        uid = f"{row.enrollment_id}.{row.step}@{urlsplit(self._base_url).hostname or 'localhost'}"
        about = About(uid, row.seq, row.zone, rendered.from_ or "", row.to, row.decided_at)
        try:
            return attached(rendered.fields, frozen, lambda name: pinned.get(name) or newest.get(name), about)
        except ValueRefused as error:
            raise RenderError(str(error), variant.path) from None

    def target(self, row: Message, short: Short) -> str | None:
        """Where a short link of a message leads; None: its text has no such link any more, or cannot be rendered."""
        try:
            found = linked_targets(self.render(row).text, self._base_url)
        except RenderError:
            return None
        return found[short.number] if short.number < len(found) else None

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
        plan = _Plan(code, footed, links, odd, standing, SmsRules.of(defaults) if row.channel == "sms" else None)
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


def _signed(value: Any, begin: str, url: str) -> Any:
    if isinstance(value, str):
        return url if value.startswith(begin) else value
    if isinstance(value, Mapping) and "url" in value and "code" in value:
        return {**value, "url": _signed(value["url"], begin, url)}
    return value


def _tracked(live: _Live, row: Message) -> tuple[bool, bool]:
    """Whether opens and clicks of a message are counted."""
    tracking: Tracking = live.project.tracking
    if row.topic in live.untracked:
        return False, False
    return tracking.opens, tracking.clicks


@lru_cache(maxsize=1024)
def _tags(utm: Utm, channel: str, journey: str, step: str) -> UtmTags:
    named = {
        "utm_source": utm.source,
        "utm_medium": utm.medium or channel,
        "utm_campaign": utm.campaign or journey,
        "utm_content": utm.content or step,
    }
    return UtmTags(tuple(named.items()), utm.domains)


def html_as_sent(html: str | None, project: Project, topic: Topic | None, journey: str | None, url: str) -> str | None:
    """The HTML of an email with all that is added to it on its way, for a message that does not exist: as long as it
    will be, over an installation at `url`."""
    tracking, id, secret = project.tracking, "0123456789abcdef.a_message.1", b"sample"
    if html is not None and tracking.utm is not None:
        tags = _tags(tracking.utm, "email", journey or "journey", "a_message")
        html = rewritten_html(html, lambda link: link if is_own_page(link, url) else tagged(link, tags))
    if html is None or (topic is not None and not topic.tracking):
        return html
    if tracking.clicks:
        html = with_tracked_links(html, url, lambda link: click_token(secret, id, link))
    return with_pixel(html, f"{url}/o/{quote(token(secret, 'open', id))}.gif") if tracking.opens else html


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
