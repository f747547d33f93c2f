"""Whether providers know us: a request of each adapter that wants our credentials and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.channels.checking import CheckFailed
from orchestrator.channels.providers.adapter import ProviderChannel, printable
from orchestrator.channels.providers.wire import Lost, NotSent, Reply

_MAY_SEND: Final = ("restricted_api_key", "Forbidden", "NoPermission", "UnauthorizedOperation", "AccessDenied")
"""How codes begin that say: we know you, but this key may not ask that. It may send nevertheless."""
_KEY: Final = "make a new key with the right to send, and put it into the setting"


def ask_provider(channel: ProviderChannel, scheme: str) -> str | None:
    """Ask the provider whether it knows us. Returns words, None where there is nothing to ask; raises CheckFailed."""
    try:
        reply = channel.looked()
    except (NotSent, Lost) as error:
        raise CheckFailed(f"{scheme} cannot be reached: {error}", "look at the network, and try again") from None
    if reply is None:
        return None
    code, said = refusal_of(reply)
    if code is not None and code.startswith(_MAY_SEND):
        raise CheckFailed(
            f"{scheme} knows us, and does not let this key ask ({printable(code)})",
            f"it may send nevertheless; to see, send a test: orchestrator channels check --send-to SEED ({scheme})",
            warn=True,
        )
    words = "" if code is None else f" ({printable(f'{code}: {said}' if said else code)})"
    if reply.status in (401, 403):
        raise CheckFailed(f"{scheme} does not take our credentials ({reply.status}){words}", _KEY, reply.status == 403)
    if reply.status == 404 and code is None:
        raise CheckFailed(f"{scheme} does not know the account or domain in the setting", "correct its name")
    if code is not None and reply.status < 500:
        raise CheckFailed(f"{scheme} does not know us{words}", _KEY)
    if not 200 <= reply.status < 300:
        raise CheckFailed(f"{scheme} answered {reply.status}{words}", "try again later", warn=True)
    if (trouble := channel.trouble(reply.json())) is not None:
        raise CheckFailed(f"{scheme} knows our credentials, but {trouble[0]}", trouble[1])
    return f"{scheme} knows our credentials"


def refusal_of(reply: Reply) -> tuple[str | None, str]:
    """The code with which an API refuses, and its words, wherever it writes them; (None, ""): it says none."""
    said = reply.json()
    if not isinstance(said, Mapping):
        return None, ""
    taken = 200 <= reply.status < 300
    response = said.get("Response")
    for inner in (response.get("Error") if isinstance(response, Mapping) else None, said.get("error"), said):
        if not isinstance(inner, Mapping):
            continue
        for name in ("Code", "code", "errcode", "__type", "ErrorCode", *(() if taken else ("name",))):
            code = inner.get(name)
            if _is_code(code):
                words = next((inner[n] for n in ("Message", "message", "errmsg") if isinstance(inner.get(n), str)), "")
                return str(code), str(words)
    name = reply.headers.get("x-amzn-errortype", "")
    return (name.split(":")[0], str(said.get("message") or "")) if name else (None, "")


def _is_code(code: Any) -> bool:
    if isinstance(code, str):
        return bool(code) and code not in ("OK", "Ok", "0")
    return isinstance(code, int) and not isinstance(code, bool) and code != 0
