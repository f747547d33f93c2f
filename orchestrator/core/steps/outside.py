"""`fetch` and `webhook`: calls that are made outside the turn, under the key of the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.core.advance import STOP, fail, stand
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Request, effect_id
from orchestrator.core.program import Fetch, Journey, Step, Webhook
from orchestrator.core.steps.message import suppress
from orchestrator.errors import DecisionError

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


class FetchFailed(DecisionError):
    """No usable answer, and no default."""

    reason = "fetch"


class WebhookFailed(DecisionError):
    """The receiver did not take it."""

    reason = "webhook"


def run_fetch(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Fetch) -> int:
    """Ask for connected content; the enrollment stands until the answer."""
    scope = turn.scope_of(e)
    headers = {name: template.text(scope) for name, template in step.headers}
    _ask(turn, e, step, "fetch", "GET", step.url.url(scope), headers, None, step.cache)
    return STOP


def run_webhook(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Webhook) -> int:
    """Tell another system."""
    if e.held_out:
        suppress(turn, e, step, None, "holdout")
        if step.as_name is not None:
            e.results[step.as_name] = None
        return step.next
    scope = turn.scope_of(e)
    headers = {name: template.text(scope) for name, template in step.headers}
    body = step.body.value(scope) if step.body is not None else None
    if step.in_exit:  # nobody waits for the answer: the enrollment is over
        _ask(turn, e, step, "webhook", step.method, step.url.url(scope), headers, body, None)
        said = {"url": (e.outcome or {}).get("url"), "method": step.method, "body": body}
        e.outcome, e.standing = None, None
        turn.say("webhook", said, e, step.id)
        return step.next
    _ask(turn, e, step, "webhook", step.method, step.url.url(scope), headers, body, None)
    return STOP


def _ask(
    turn: CustomerTurn,
    e: Enrollment,
    step: Fetch | Webhook,
    kind: Any,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Any,
    cache: Any,
) -> None:
    visit = e.visits.get(step.id, 1)
    asked = f"{step.id}/asked"  # a retry, and a step that someone resumed, is another request
    e.visits[asked] = count = e.visits.get(asked, 0) + 1
    request_id = effect_id(e.id, step.id, visit, str(count) if count > 1 else "")
    turn.put_request(
        Request(
            request_id,
            e.customer_id,
            e.id,
            step.id,
            visit,
            kind,
            method,
            url,
            headers,
            body,
            step.timeout,
            cache,
            turn.t,
            step.as_name,
        )
    )
    e.outcome = {"request": request_id, "url": url, "method": method, "body": body}
    stand(turn, e, "reply", None)


def take_reply(turn: CustomerTurn, e: Enrollment, step: Step) -> int:
    """The answer is there: store it and go on, or deal with its absence. Returns the next step, or STOP."""
    outcome = e.outcome or {}
    status, answer = outcome.get("status"), outcome.get("answer")
    good = status is not None and 200 <= status < 300
    e.outcome = None
    e.standing = None
    if isinstance(step, Webhook):
        said = {"url": outcome.get("url"), "method": outcome.get("method"), "body": outcome.get("body")}
        turn.say("webhook", said, e, step.id, {"status": status, "error": outcome.get("error")})
        if not good:
            return fail(turn, e, step, WebhookFailed(_why(outcome)))
        if step.as_name is not None:
            e.results[step.as_name] = answer
        return step.next
    assert isinstance(step, Fetch)
    turn.say("fetched", {"url": outcome.get("url"), "status": status}, e, step.id, {"error": outcome.get("error")})
    e.results[f"{step.as_name}_status"] = status
    if good:
        e.results[step.as_name] = answer
        return step.next
    if step.on_error == "default" and (step.retry is None or e.attempts >= step.retry.times):
        e.results[step.as_name] = step.default
        return step.next
    return fail(turn, e, step, FetchFailed(_why(outcome)))


def _why(outcome: Mapping[str, Any]) -> str:
    return str(outcome.get("error") or f"the answer was {outcome.get('status')}")
