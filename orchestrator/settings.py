"""The installation's settings: environment variables `ORCHESTRATOR_*`, read once, typed, refused with a way out.

They say where things are, never what a journey does; secrets stand here and never in journey files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.core.addresses import email_address
from orchestrator.core.data_keys import DataKeys, data_keys
from orchestrator.core.expression.nearest import nearest
from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import UsageError

PREFIX = "ORCHESTRATOR_"
LONGEST_SHOWN = 60

_SCHEMES: dict[str, tuple[str, ...]] = {
    "database_url": ("memory", "sqlite", "postgresql"),
    "broker_url": ("redis", "rediss", "amqp", "amqps", "pgmq", "memory"),
    "base_url": ("http", "https"),
    "traces_url": ("http", "https"),
    "alert_webhook": ("http", "https"),
    "smtp_url": (
        "smtp", "smtps", "ses", "sendgrid", "mailgun", "postmark", "resend", "brevo", "directmail",
        "file", "console", "null",
    ),
    "sms_url": ("twilio", "vonage", "aliyunsms", "tencentsms", "http", "https", "file", "console", "null"),
    "push_url": ("push", "file", "console", "null"),
    "whatsapp_url": ("whatsapp", "file", "console", "null"),
    "wechat_url": ("wechat", "wecom", "file", "console", "null"),
}  # fmt: skip
_WITH_HOST: frozenset[str] = frozenset({"redis", "rediss", "amqp", "amqps", "http", "https", "smtp", "smtps"})
"""Schemes that need a host."""
_SECRET_WORD = re.compile(r"(?<![^&])(hook|secret|token|key|access_token)=[^&]*")
"""Words behind the `?` whose values nobody is shown."""
_ORIGIN = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.\[\]:_-]{1,255}")
_CHANNEL_URLS = ("smtp_url", "sms_url", "push_url", "whatsapp_url", "wechat_url")
_WITH_KEYS = frozenset({scheme for name in _CHANNEL_URLS for scheme in _SCHEMES[name]}) - _WITH_HOST
"""Schemes of channels of which what stands before a `?` may be a provider's key, in whatever place."""
_EXAMPLES = {
    "database_url": "postgresql://user:password@localhost/orchestrator",
    "broker_url": "redis://localhost:6379/0",
    "base_url": "https://journeys.example.com",
    "traces_url": "http://localhost:4318/v1/traces",
    "alert_mail": "ops@example.com, lead@example.com",
    "alert_webhook": "https://alerts.example.com/orchestrator",
    "smtp_url": "smtp://user:password@mail.example.com:587",
    "sms_url": "https://user:password@sms.example.com/send",
}


class Settings(BaseSettings):
    """What the environment says; None: not set. URLs may hold passwords, so they are shown without them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: str | None = Field(None, description="Where the truth is kept")
    broker_url: str | None = Field(None, description="What carries work between processes")
    secret_key: SecretStr | None = Field(None, description="What signs links and sessions", min_length=32)
    data_keys: SecretStr | None = Field(None, description="What personal data is sealed with in the database")
    base_url: str = Field("http://localhost:8000", description="Where this installation's public pages answer")
    smtp_url: str | None = Field(None, description="Which mail server takes e-mails; file: or console: keeps them here")
    sms_url: str | None = Field(None, description="Which gateway takes SMS; file: or console: keeps them here")
    push_url: str | None = Field(None, description="Which services take push notifications")
    whatsapp_url: str | None = Field(None, description="Which account sends WhatsApp messages")
    wechat_url: str | None = Field(None, description="Which account sends WeChat or WeCom messages")
    bounce_url: SecretStr | None = Field(None, description="Which mailbox bounces and complaints come back to")
    write_keys: SecretStr | None = Field(None, description="Keys that may send events, with commas between them")
    api_keys: SecretStr | None = Field(None, description="Secret keys of the brand's own servers, for /api/v1")
    origins: str | None = Field(None, description="Which pages may send events from browsers, with commas between")
    sources: SecretStr | None = Field(None, description="Shops and services that post webhooks, with their secrets")
    http_allow: str | None = Field(None, description="Where fetch and webhook may go beyond public addresses")
    webhook_secret: SecretStr | None = Field(None, description="What signs outgoing webhooks (Standard Webhooks)")
    webhooks: SecretStr | None = Field(None, description="Addresses of webhooks that are secret, by name")
    alert_mail: str | None = Field(None, description="Who is told by mail when something is out of order")
    alert_webhook: str | None = Field(None, description="Which URL is told when something is out of order")
    alert_chat: SecretStr | None = Field(None, description="Which group chats are told when something is out of order")
    staff_chats: SecretStr | None = Field(None, description="Named group chats that are told of tasks of queues")
    test_mode: Literal["off", "seeds"] = Field("off", description="seeds: nothing leaves but to seed addresses")
    seeds: str | None = Field(None, description="Addresses that test messages may reach, with commas between them")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="How lines of the log look; auto: as suits")
    traces_url: str | None = Field(None, description="Where OpenTelemetry spans go (OTLP over HTTP); none: nowhere")
    probe_port: int | None = Field(None, description="Where serve, worker and beat answer probes", ge=1, le=65_535)
    probe_host: str = Field("127.0.0.1", description="The address on which they do")
    project: Path = Field(Path("."), description="The project's folder, for processes without a command line: workers")

    @field_validator("database_url", "broker_url", "base_url", "traces_url", "alert_webhook", *_CHANNEL_URLS)
    @classmethod
    def _is_url(cls, value: str | None, info: Any) -> str | None:
        if value is None:
            return None
        several = provider_urls(value) if info.field_name in _CHANNEL_URLS else (value,)
        for url in several:
            _check_url(url, _SCHEMES[info.field_name])
        return value

    @field_validator("data_keys")
    @classmethod
    def _are_data_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            data_keys(value.get_secret_value())
        return value

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for origin in _listed(value):
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"'{origin[:LONGEST_SHOWN]}' is no origin; write https://www.example.com")
        return value

    @field_validator("alert_mail")
    @classmethod
    def _has_addresses(cls, value: str | None) -> str | None:
        for address in _listed(value):
            if email_address(address) is None:
                raise ValueError(f"'{address}' is no e-mail address; write addresses with commas between them")
        return value

    @property
    def sealing_keys(self) -> DataKeys | None:
        """The keys of personal data; None: none are set."""
        return data_keys(self.data_keys.get_secret_value()) if self.data_keys is not None else None

    @property
    def alert_addresses(self) -> tuple[str, ...]:
        """Who is told by mail."""
        return _listed(self.alert_mail)

    @property
    def seed_addresses(self) -> tuple[str, ...]:
        """Whom test mode lets messages reach."""
        return _listed(self.seeds)

    @property
    def keys(self) -> frozenset[str]:
        """The write keys; empty: none is configured."""
        return frozenset(_listed(self.write_keys.get_secret_value() if self.write_keys is not None else None))

    @property
    def secret_keys(self) -> frozenset[str]:
        """The keys of the brand's own servers; empty: none is configured."""
        return frozenset(_listed(self.api_keys.get_secret_value() if self.api_keys is not None else None))

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins of pages that may send events; empty: all."""
        return _listed(self.origins)

    @property
    def allowed(self) -> tuple[str, ...]:
        """Entries of the allow-list of fetch and webhook."""
        return _listed(self.http_allow)


def _check_url(url: str, possible: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"it is no URL ({error})") from None
    scheme = parts.scheme.partition("+")[0]
    if scheme not in possible:
        found = f"begins with '{scheme}'" if scheme else "is no URL"
        raise ValueError(f"it {found}; possible is {', '.join(f'{name}://' for name in possible)}")
    if scheme in _WITH_HOST and not parts.hostname:
        raise ValueError("it names no host")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part for word in (text or "").split(",") if (part := word.strip()))


def read_settings(**given: str | None) -> Settings:
    """The settings of this process: `given` (from the command line), else the environment, else the defaults.

    Raises UsageError that names every variable that cannot be used, what it holds, and what it may hold.
    """
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise UsageError("\n".join(_refusal(detail) for detail in error.errors()), "bad_setting") from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable `ORCHESTRATOR_*` that nothing reads: most likely a typing mistake."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    out = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = nearest(name, known)
            out.append(f"nothing reads {name}" + (f"; did you mean {near}?" if near else ""))
    return out


def without_password(url: str) -> str:
    """A URL that may be shown, or several with blanks between. Of what stands behind the `?`, secrets are left out."""
    several = provider_urls(url)
    if len(several) > 1:
        return " ".join(map(without_password, several))
    try:
        parts = urlsplit(url)
        query = _SECRET_WORD.sub(r"\1=***", parts.query)
        if query != parts.query:
            parts = parts._replace(query=query)
            url = parts.geturl()
        if parts.password is None:
            # Where the `@` or the `:` is missing, what was meant for a key stands in the place of a host or a user.
            misplaced = parts.scheme in _WITH_KEYS and parts.netloc.rpartition("@")[0 if "@" in parts.netloc else 2]
            return parts._replace(netloc=parts.netloc.replace(misplaced, "***")).geturl() if misplaced else url
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{parts.username or ''}:***@{host}{port}").geturl()
    except ValueError:
        return "(an unreadable URL)"


_SECRETS = frozenset(
    {
        "write_keys", "api_keys", "webhook_secret", "alert_chat", "staff_chats", "bounce_url", "data_keys", "sources",
        "webhooks",
    }
)  # fmt: skip
"""Settings of whose value nothing is shown."""


def _refusal(detail: Any) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "?"
    variable = PREFIX + name.upper()
    if name in _SECRETS:
        why = str(detail["msg"]).removeprefix("Value error, ")
        return f"{variable} cannot be used: {why}"
    if name == "secret_key":
        return f"{variable} is too short to sign anything; give at least 32 random characters"
    shown = without_password(str(detail["input"]))
    shown = shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"
    why = str(detail["msg"]).removeprefix("Value error, ")
    example = f", such as {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    return f"{variable} is '{shown}', and {why}{example}"
