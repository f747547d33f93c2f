"""From a ledger row to a message's texts: the variant that the row pins, its frozen values, and the signed links."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.core.ledger import Message
from orchestrator.core.links import token
from orchestrator.core.project import Project
from orchestrator.templating.assets import served_from
from orchestrator.templating.failure import RenderError
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant

_LINKS: Final = {
    "unsubscribe_url": ("u", "unsubscribe"),
    "preferences_url": ("u", "preferences"),
    "view_url": ("v", "view"),
}
"""The links by their names in templates: the page, and what the signature is good for."""
_FOOTER_NAMES: Final = frozenset({"unsubscribe_url"})


class LedgerRenderer:
    """Renders rows written for the templates of any library it was given; the newest stands for the brand.

    `base_url` is where this installation's public pages answer; `secret` signs the links to them.
    """

    def __init__(self, library: TemplateLibrary, project: Project, base_url: str, secret: bytes) -> None:
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._variants: dict[str, TemplateVariant] = {}
        self.deploy(library, project)

    def deploy(self, library: TemplateLibrary, project: Project) -> None:
        """Another project is live; rows that pin older templates still render."""
        self._project = project
        self._renderer = Renderer(library, project.brand, project.locale, served_from(self._base_url))
        self._variants.update((variant.content_hash, variant) for variant in library.variants())

    def render(self, row: Message) -> Rendered:
        """The texts of a message. Raises RenderError."""
        variant = self._variants.get(row.template_hash)
        if variant is None:
            raise RenderError(f"the template {row.channel}/{row.template} is not there any more", row.template, 1, 1)
        footer = row.klass != "transactional" and row.channel == "email"
        wanted = variant.specials | _FOOTER_NAMES if footer else variant.specials
        rendered = self._renderer.render(variant, row.values, self._extras(row, wanted), append_footer=footer)
        # The step's own sender comes first, then the template's, then the project's. Only an email's is an address
        # line; elsewhere it is a name or a number that the provider knows.
        defaults = self._project.channels.get(row.channel, {})
        own = rendered.from_ if row.channel == "email" else row.sender
        sender, reply_to = own or _text(defaults.get("from")), rendered.reply_to or _text(defaults.get("reply_to"))
        if sender is rendered.from_ and reply_to is rendered.reply_to:
            return rendered
        return Rendered(*rendered[:4], sender, reply_to, rendered.fields)

    def unsubscribe_url(self, row: Message) -> str:
        """Where one click unsubscribes from this message's topic (RFC 8058)."""
        return self._link("unsubscribe_url", row)

    def _link(self, name: str, row: Message) -> str:
        page, purpose = _LINKS[name]
        return f"{self._base_url}/{page}/{token(self._secret, purpose, row.id)}"

    def _extras(self, row: Message, wanted: frozenset[str]) -> dict[str, Any]:
        """What the renderer takes beside the values. Only the `wanted` links are made: a signature costs more than a
        text."""
        base, secret = self._base_url, self._secret
        extras: dict[str, Any] = {"timezone": row.zone}
        for name in _LINKS:
            if name in wanted:
                extras[name] = self._link(name, row)
        if "message" in wanted:
            extras["message"] = {"id": row.id, "channel": row.channel}
        if row.survey is not None and "survey" in wanted:
            url = f"{base}/s/{token(secret, 'survey', row.id)}"
            links = [{"score": score, "url": f"{url}?score={score}"} for score in range(11)]
            extras["survey"] = {"name": row.survey, "url": url, "links": links}
        if row.subject is not None:
            extras["subject"] = row.subject
        if row.channel == "email":
            own = (("from", row.sender), ("reply_to", row.reply_to))
            extras.update((name, value) for name, value in own if value is not None)
        return extras


def _text(value: object) -> str | None:
    return str(value) if value else None
