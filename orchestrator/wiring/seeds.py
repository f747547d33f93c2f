"""A test send: one message to a seed address, over the provider that is configured, beside all journeys."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from orchestrator.channels.protocol import Outgoing
from orchestrator.errors import UsageError
from orchestrator.settings import Settings

_VARIABLES = {"email": "ORCHESTRATOR_SMTP_URL", "sms": "ORCHESTRATOR_SMS_URL"}


def send_to_seed(settings: Settings, project: Path, outgoing: Outgoing) -> str:
    """Hand it over; returns what became of it, in words. Raises UsageError where nothing is configured or it failed."""
    from orchestrator.channels.configured import channels_of
    from orchestrator.channels.seed_send import send_test

    name, seed = outgoing.channel, outgoing.to
    variable = _VARIABLES.get(name)
    if variable is None:
        raise UsageError(
            f"nothing was sent to {seed}: this version cannot hand {name} over to a provider; open the preview instead",
            "channel_missing",
        )
    url = settings.smtp_url if name == "email" else settings.sms_url
    if url is None:
        raise UsageError(
            f"nothing was sent to {seed}: no provider for {name} is configured; set {variable}", "channel_missing"
        )
    channel = channels_of({name: url}, base_dir=project)[name]
    try:
        answer = send_test(channel, outgoing._replace(id=f"seed-{uuid4().hex}"))
    finally:
        channel.close()
    if answer.outcome != "accepted":
        raise UsageError(
            f"the provider did not take the message to {seed}: {answer.reason or answer.outcome}", "not_sent"
        )
    return f"sent to {seed}" + (f" ({answer.reference})" if answer.reference else "")
