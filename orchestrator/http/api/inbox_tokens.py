"""`/api/v1/customers/{id}/inbox-token`: what opens one customer's inbox, for the brand's own app."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orchestrator.core.inbox_feed import inbox_token
from orchestrator.core.time.durations import parse_fixed
from orchestrator.http.api import values
from orchestrator.http.api.arriving import customer_of
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal

DEFAULT_FOR: Final = timedelta(days=7)
LONGEST_FOR: Final = timedelta(days=400)


class InboxToken(values.Shown):
    """A token, and the address that it opens."""

    token: str
    url: str
    expires_at: values.InstantShown


def add_inbox_tokens_api(api: Api) -> None:
    """One route."""
    pattern = r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h|d|w)$"
    lasts = values.Parameter("for", "How long it is good, such as 7d", {"type": "string", "pattern": pattern}, str)
    api.add(
        "GET", "/customers/{id}/inbox-token", _sign, scope="customers:read", tag="inbox", answer=InboxToken,
        summary="A token that opens one customer's inbox", query=(lasts,),
        description="For the brand's backend, which hands it to the customer's app.",
        refusals={422: f"`for` is no time of more than 0 and at most {LONGEST_FOR.days}d"},
    )  # fmt: skip


def _sign(call: Call) -> Answer:
    lasts = _duration(call.query["for"])
    customer, until = customer_of(call).id, call.real_at + lasts
    token = inbox_token(call.service.secret, customer, until)
    url = f"{call.service.base_url}/inbox/{token}"
    made = {"token": token, "url": url, "expires_at": values.shown(until)}
    return Answer(made, headers={"Cache-Control": "no-store"})


def _duration(text: str | None) -> timedelta:
    if text is None:
        return DEFAULT_FOR
    try:
        lasts = parse_fixed(text)
    except (ValueError, OverflowError) as error:
        raise HttpRefusal(422, "bad_duration", f"for: {error}") from None
    if not timedelta(0) < lasts <= LONGEST_FOR:
        raise HttpRefusal(422, "bad_duration", f"for: a token lasts {LONGEST_FOR.days}d at most")
    return lasts
