"""The outside world of an installation: its channels and the caller of `fetch` and `webhook`, from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import UsageError
from orchestrator.settings import Settings, without_password
from orchestrator.wiring.databases import FOLDER

if TYPE_CHECKING:
    from pydantic import SecretStr

    from orchestrator.channels.chat_notices import ChatPlace
    from orchestrator.channels.protocol import Caller, Channel

OUTBOX: Final = "outbox"
CHANNELS: Final = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
INBOX_URL: Final = "inbox:"
"""The app's own inbox needs no provider: its messages stand in the ledger."""
_STAYS: Final = ("file:", "console:", "null:", INBOX_URL)
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
    given = {name: getattr(settings, _SETTINGS[name]) or default_url() for name in CHANNELS if name in _SETTINGS}
    return {name: given.get(name, INBOX_URL) for name in CHANNELS}


def kept_here(settings: Settings) -> Settings:
    """The same settings without providers: messages about the past must reach nobody.

    Where nothing else was set they are rendered and kept in the ledger, and no files are written: a season has hundreds
    of thousands.
    """
    found = {name: getattr(settings, name) for name in _SETTINGS.values()}
    kept = {name: url if url is not None and not _leaves(url) else "null:" for name, url in found.items()}
    return settings.model_copy(update=kept)


def reached(settings: Settings, project: Path) -> dict[str, Reached]:
    """Every channel; in test mode each behind a guard that lets messages through to seed addresses only. Raises
    UsageError for a URL that no adapter takes."""
    from orchestrator.channels.configured import channels_of
    from orchestrator.channels.seed_only import SeedOnlyChannel
    from orchestrator.wiring.hooks import with_callbacks

    urls = urls_of(settings)
    told = {name: with_callbacks(url, settings.base_url) for name, url in urls.items()}
    made = channels_of(told, base_dir=project)
    if settings.test_mode == "seeds":
        guarded = {id(channel): SeedOnlyChannel(channel, settings.seed_addresses) for channel in made.values()}
        made = {name: guarded[id(channel)] for name, channel in made.items()}
    return {name: Reached(made[name], without_password(url), _leaves(url)) for name, url in urls.items()}


def _leaves(setting: str) -> bool:
    return any(not url.startswith(_STAYS) for url in provider_urls(setting))


def caller_of(settings: Settings) -> Caller:
    """What calls other hosts, under the rules of channels/net_rules.py. Raises UsageError for a bad allow-list."""
    from orchestrator.channels.http_caller import HttpCaller
    from orchestrator.channels.seed_only import SeedOnlyCaller

    secret = settings.webhook_secret
    caller = HttpCaller(settings.allowed, secret.get_secret_value() if secret is not None else None)
    return SeedOnlyCaller(caller) if settings.test_mode == "seeds" else caller


def unguarded(adapter: Any) -> Any:
    """The adapter or caller behind the guard of test mode, for what is written to staff and not to customers."""
    from orchestrator.channels.seed_only import SeedOnlyCaller, SeedOnlyChannel

    return adapter.inner if isinstance(adapter, SeedOnlyCaller | SeedOnlyChannel) else adapter


def alert_chats_of(settings: Settings) -> tuple[ChatPlace, ...]:
    """The chats that hear of what is out of order. Raises UsageError."""
    from orchestrator.channels.chat_notices import chat_places

    return chat_places(_secret(settings.alert_chat), "ORCHESTRATOR_ALERT_CHAT")


def staff_chats_of(settings: Settings) -> dict[str, ChatPlace]:
    """The chats that project.yaml may name. Raises UsageError."""
    from orchestrator.channels.chat_notices import chat_places

    places = chat_places(_secret(settings.staff_chats), "ORCHESTRATOR_STAFF_CHATS")
    for number, place in enumerate(places, 1):
        if place.name is None:
            raise UsageError(
                f"the {number}. chat of ORCHESTRATOR_STAFF_CHATS has no name; write care={place.kind}:https://..., and "
                "`notify: care` at the queue",
                "bad_setting",
            )
    return {place.name: place for place in places if place.name is not None}


def refuse_unreadable_chats(settings: Settings) -> None:
    """At the start, and not when the first alert should be told. Raises UsageError."""
    alert_chats_of(settings)
    staff_chats_of(settings)


def chat_caller_of(settings: Settings) -> Caller:
    """What calls the chats, under the same rules; it signs nothing by the installation's own key."""
    from orchestrator.channels.http_caller import HttpCaller

    return HttpCaller(settings.allowed)


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()
