"""The outside world of an installation: its channels and the caller of `fetch` and `webhook`, from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.settings import Settings, without_password
from orchestrator.wiring.databases import FOLDER

if TYPE_CHECKING:
    from orchestrator.channels.protocol import Caller, Channel

OUTBOX: Final = "outbox"
CHANNELS: Final = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
_STAYS: Final = ("file:", "console:", "null:")
_SETTINGS: Final = {
    "email": "smtp_url", "sms": "sms_url", "push": "push_url", "whatsapp": "whatsapp_url", "wechat": "wechat_url",
}  # fmt: skip


class Reached(NamedTuple):
    """Where a channel's messages go: the adapter, its URL without a password, and whether they leave this machine."""

    channel: Channel
    url: str
    leaves: bool


def default_url() -> str:
    """The sink of channels that nothing was set for, so that nothing leaves by accident."""
    return f"file:{FOLDER}/{OUTBOX}"


def urls_of(settings: Settings) -> dict[str, str]:
    """Each channel's URL."""
    return {
        name: (getattr(settings, _SETTINGS[name]) if name in _SETTINGS else None) or default_url() for name in CHANNELS
    }


def kept_here(settings: Settings) -> Settings:
    """The same settings without providers: messages about the past must reach nobody.

    Where nothing else was set they are rendered and kept in the ledger, and no files are written: a season has hundreds
    of thousands.
    """
    found = {name: getattr(settings, name) for name in _SETTINGS.values()}
    kept = {name: url if url is not None and url.startswith(_STAYS) else "null:" for name, url in found.items()}
    return settings.model_copy(update=kept)


def reached(settings: Settings, project: Path) -> dict[str, Reached]:
    """Every channel. Raises UsageError for a URL that no adapter takes."""
    from orchestrator.channels.configured import channels_of

    urls = urls_of(settings)
    made = channels_of(urls, base_dir=project)
    return {name: Reached(made[name], without_password(url), not url.startswith(_STAYS)) for name, url in urls.items()}


def caller_of(settings: Settings) -> Caller:
    """What calls other hosts, under the rules of channels/net_rules.py. Raises UsageError for a bad allow-list."""
    from orchestrator.channels.http_caller import HttpCaller

    secret = settings.webhook_secret
    return HttpCaller(settings.allowed, secret.get_secret_value() if secret is not None else None)
