"""Whether providers know us: the cheapest request of each that wants our credentials, and sends nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, unquote

from orchestrator.channels.checking import CheckFailed
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire

TIMEOUT: Final = 10.0


class Look(NamedTuple):
    """A GET: where (below the provider's own address, unless the URL has `base`), and with which headers."""

    base: str
    path: str
    headers: Mapping[str, str]


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


_LOOKS: Final[Mapping[str, Callable[[str, str, str], Look]]] = {
    # scheme: (user, password, host) -> what is asked. Sources: each provider's public API reference.
    "sendgrid": lambda _, key, host: Look("https://api.sendgrid.com", "/v3/scopes", {"Authorization": f"Bearer {key}"}),
    "mailgun": lambda _, key, host: Look(
        "https://api.mailgun.net", f"/v3/domains/{quote(host, safe='')}", _basic("api", key)
    ),
    "postmark": lambda _, key, host: Look(
        "https://api.postmarkapp.com", "/server", {"X-Postmark-Server-Token": key, "Accept": "application/json"}
    ),
    "resend": lambda _, key, host: Look("https://api.resend.com", "/domains", {"Authorization": f"Bearer {key}"}),
    "brevo": lambda _, key, host: Look("https://api.brevo.com", "/v3/account", {"api-key": key}),
    "twilio": lambda user, key, host: Look(
        "https://api.twilio.com", f"/2010-04-01/Accounts/{quote(user, safe='')}.json", _basic(user, key)
    ),
    "vonage": lambda user, key, host: Look("https://rest.nexmo.com", "/account/get-balance", _basic(user, key)),
}


def can_ask(scheme: str) -> bool:
    """Whether there is such a request."""
    return scheme in _LOOKS


def ask_provider(parts: SplitResult) -> str:
    """Ask the provider of a URL whether it knows us. Returns words; raises CheckFailed."""
    look = _LOOKS[parts.scheme](unquote(parts.username or ""), unquote(parts.password or ""), parts.hostname or "")
    given = parse_qs(parts.query).get("base", [""])[0]
    wire = ProviderWire(1, TIMEOUT)
    try:
        reply = wire.call("GET", (given or look.base).rstrip("/") + look.path, look.headers)
    except (NotSent, Lost) as error:
        raise CheckFailed(f"{parts.scheme} cannot be reached: {error}", "look at the network, and try again") from None
    finally:
        wire.close()
    if 200 <= reply.status < 300:
        return f"{parts.scheme} knows our credentials"
    if reply.status in (401, 403):
        words = f"{parts.scheme} does not take our credentials ({reply.status})"
        raise CheckFailed(
            words, "make a new key with the right to send, and put it into the setting", reply.status == 403
        )
    if reply.status == 404:
        raise CheckFailed(f"{parts.scheme} does not know the account or domain in the setting", "correct its name")
    raise CheckFailed(f"{parts.scheme} answered {reply.status}", "try again later", warn=True)
