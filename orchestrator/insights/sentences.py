"""One line of a journal as a plain sentence about the customer, in the local time of the reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.time.iso import parse_instant
from orchestrator.insights.local_time import LINKS
from orchestrator.insights.reasons import EXITED, FAILED, REFUSED, WITHHELD, with_code

Line = Mapping[str, Any]

CHANNELS = {"email": "e-mail", "sms": "SMS", "push": "push message", "whatsapp": "WhatsApp message"}
CHANNELS |= {"wechat": "WeChat message", "inbox": "inbox message"}
EXPLAINED = frozenset({"entered", "refused", "branched", "exited"})
"""The kinds of lines whose `values` are what a condition was decided on."""

_EVIDENCE = frozenset({"event", "zone", "error"})
"""Values that name what a decision goes back to, rather than what was compared."""

MOST_REASONS = 8
LONGEST_VALUE = 80
_MADE_ID = re.compile(r"(?:exit_)?([a-z_]+)_[0-9]+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def sentence(line: Line, zone: ZoneInfo) -> str:
    """What happened, without a full stop. A kind of line that is not known here is told by its name and keys."""
    kind = str(line["type"])
    if kind in _TELLERS:
        return _TELLERS[kind](line, zone)
    extra = {key: value for key, value in line.items() if key not in _COMMON}
    return kind + (f": {shown(extra, zone)}" if extra else "")


def because(line: Line, zone: ZoneInfo) -> tuple[str, ...]:
    """The values that a decision was taken on: ``customer.tier was 'gold'``."""
    values = line.get("values")
    if line["type"] not in EXPLAINED or not isinstance(values, Mapping):
        return ()
    told = [f"{name} was {shown(value, zone)}" for name, value in values.items() if name not in _EVIDENCE]
    if len(told) > MOST_REASONS:
        told[MOST_REASONS:] = [f"and {len(told) - MOST_REASONS} more values"]
    return tuple(told)


def local_text(at: datetime, zone: ZoneInfo) -> str:
    """``Sun 2026-03-01 12:00 +00:00``; seconds only where there are some."""
    local = at.astimezone(zone)
    clock = local.strftime("%H:%M:%S") if local.second else local.strftime("%H:%M")
    offset = local.strftime("%z")
    return f"{_WEEKDAYS[local.weekday()]} {local.date().isoformat()} {clock} {offset[:3]}:{offset[3:5]}"


def shown(value: Any, zone: ZoneInfo) -> str:
    """A value as the language writes it; instants in local time; long ones cut."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}: {shown(item, zone)}" for key, item in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(item, zone) for item in value) + "]"
    else:
        if _INSTANT.fullmatch(str(value)):
            return _at(value, zone)
        text = "'" + " ".join(str(value).split()) + "'"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COMMON = frozenset({"at", "type", "customer", "journey", "version", "key", "step", "values"})


def _at(text: Any, zone: ZoneInfo) -> str:
    try:
        return local_text(parse_instant(str(text)), zone)
    except (ValueError, OverflowError):
        return str(text)


def _step(line: Line) -> str:
    return f" at {line['step']}" if line.get("step") else ""


def _value(line: Line, name: str) -> Any:
    values = line.get("values")
    return values.get(name) if isinstance(values, Mapping) else None


def _channel(line: Line) -> str:
    name = str(line.get("channel"))
    return CHANNELS.get(name, name)


def _quoted(text: Any) -> str:
    flat = " ".join(str(text).split())
    return f"“{flat if len(flat) <= LONGEST_VALUE else flat[: LONGEST_VALUE - 1] + '…'}”"


def _entered(line: Line, zone: ZoneInfo) -> str:
    return f"entered (trigger: {line.get('trigger')})"


def _refused(line: Line, zone: ZoneInfo) -> str:
    return f"was not let in: {with_code(REFUSED, str(line.get('reason')))}"


def _waiting(line: Line, zone: ZoneInfo) -> str:
    again = "the wait was computed anew, and now lasts" if line["type"] == "rescheduled" else "waits"
    link = _value(line, "zone")
    whose = _value(line, "zone_words") or (LINKS.get(link) if isinstance(link, str) else None)
    until = f"until {_at(line['until'], zone)}" if line.get("until") else "without an end in time"
    return f"{again} {until}{_step(line)}" + (f" ({whose})" if isinstance(whose, str) else "")


def _branched(line: Line, zone: ZoneInfo) -> str:
    branch = str(line.get("branch"))
    way = f"branch {branch}" if branch.isdigit() else f"'{branch}'"
    return f"took {way}{_step(line)}"


def _assigned(line: Line, zone: ZoneInfo) -> str:
    if line.get("split") == "holdout":
        if line.get("variant") == "holdout":
            return "was drawn into the control group, for which nothing but transactional messages is done"
        return "was not drawn into the control group"
    return f"drew the variant '{line.get('variant')}' of the split '{line.get('split')}'"


def _held(line: Line, zone: ZoneInfo) -> str:
    until = f" until {_at(line['until'], zone)}" if line.get("until") else ""
    if line.get("reason") == "canary":
        return f"waits before the first step{until or ' until somebody lets it go on'}: {with_code(WITHHELD, 'canary')}"
    return f"a message is held back{_step(line)}{until}: {with_code(WITHHELD, str(line.get('reason')))}"


def _message(line: Line, zone: ZoneInfo) -> str:
    text = line.get("subject") or line.get("text")
    about = f": {_quoted(text)}" if text else ""
    to = f" to {line['to']}" if line.get("to") else ""
    return f"was sent the {_channel(line)} '{line.get('template')}'{to}{_step(line)}{about}"


def _outcome(line: Line, zone: ZoneInfo) -> str:
    reason = f": {line['reason']}" if line.get("reason") else ""
    words = {
        "rejected": f"the provider refused the {_channel(line)}",
        "bounced": f"the {_channel(line)} bounced",
        "complained": f"the recipient complained about the {_channel(line)}",
        "unknown": f"what became of the {_channel(line)} is not known",
    }
    status = str(line.get("status"))
    return words.get(status, f"the {_channel(line)} ended as {status}") + reason + _step(line)


def _suppressed(line: Line, zone: ZoneInfo) -> str:
    """Of a coupon's step the channel is that of the message which was to carry it."""
    reason = with_code(WITHHELD, str(line.get("reason")))
    if _verb(line) == "coupon":
        carrier = f", as no {_channel(line)} could carry it" if line.get("channel") else ""
        return f"got no coupon{_step(line)}{carrier}: {reason}"
    what = f"got no {_channel(line)}" if line.get("channel") else "this was not done"
    return f"{what}{_step(line)}: {reason}"


def _verb(line: Line) -> str | None:
    """The verb of the line's step: as `tell` found it in the journey, else out of an id that was made from it."""
    known = _value(line, "verb")
    if known is not None:
        return str(known)
    made = _MADE_ID.fullmatch(str(line.get("step")))
    return made[1] if made is not None else None


def _coupon(line: Line, zone: ZoneInfo) -> str:
    ends = f", valid until {_at(line['expires_at'], zone)}" if line.get("expires_at") else ""
    return f"was given the coupon {line.get('code')} of the offer '{line.get('offer')}'{ends}"


def _released(line: Line, zone: ZoneInfo) -> str:
    return f"the coupon {line.get('code')} was taken back, since its message was not sent"


def _redeemed(line: Line, zone: ZoneInfo) -> str:
    return f"redeemed the coupon {line.get('code')} of the offer '{line.get('offer')}'"


def _rolled_back(line: Line, zone: ZoneInfo) -> str:
    return f"had the redemption of the coupon {line.get('code')} of the offer '{line.get('offer')}' taken back"


def _redemption_refused(line: Line, zone: ZoneInfo) -> str:
    return f"could not redeem a coupon of the offer '{line.get('offer')}': {line.get('reason')}"


def _exhausted(line: Line, zone: ZoneInfo) -> str:
    return f"got no coupon of the offer '{line.get('offer')}'{_step(line)}: it is exhausted"


def _task(line: Line, zone: ZoneInfo) -> str:
    due = f", due {_at(line['due_at'], zone)}" if line.get("due_at") else ""
    who = _value(line, "assignee")
    return f"a task for {line.get('queue')}{f' ({who})' if who else ''} was opened: {_quoted(line.get('title'))}{due}"


def _attribute(line: Line, zone: ZoneInfo) -> str:
    return f"customer.{line.get('name')} was set to {shown(line.get('value'), zone)}{_step(line)}"


def _event(line: Line, zone: ZoneInfo) -> str:
    properties = line.get("properties")
    return f"the event '{line.get('name')}' was made{_step(line)}" + (
        f": {shown(properties, zone)}" if properties else ""
    )


def _called(line: Line, zone: ZoneInfo) -> str:
    status = line.get("status") or _value(line, "status")
    what = f"{line.get('method') or 'GET'} {line.get('url')}"
    error = _value(line, "error")
    answer = f"answered {status}" if status else f"gave no answer ({error})" if error else "gave no answer"
    return f"{what} {answer}{_step(line)}"


def _goal(line: Line, zone: ZoneInfo) -> str:
    currency = _value(line, "currency")
    worth = f", worth {shown(line['value'], zone)}{f' {currency}' if currency else ''}" if "value" in line else ""
    return f"reached the goal{worth}"


def _exited(line: Line, zone: ZoneInfo) -> str:
    return f"left{_step(line)}: {with_code(EXITED, str(line.get('reason')))}"


def _completed(line: Line, zone: ZoneInfo) -> str:
    return "came to the end"


def _failed(line: Line, zone: ZoneInfo) -> str:
    error = _value(line, "error")
    stands = f"is parked{_step(line)}" if line.get("step") else "a condition could not be decided"
    return f"{stands}: {with_code(FAILED, str(line.get('reason')))}" + (f": {error}" if error else "")


def _retried(line: Line, zone: ZoneInfo) -> str:
    error = _value(line, "error")
    until = f" at {_at(line['until'], zone)}" if line.get("until") else ""
    if line.get("reason") == "operator":
        return f"an operator sent the message again{_step(line)}"
    if line.get("reason") == "check_failed":
        return f"the message{_step(line)} could not be checked before its hand-over, and waits: {error}"
    return f"a step failed{_step(line)} and is tried again{until}" + (f": {error}" if error else "")


def _segment(line: Line, zone: ZoneInfo) -> str:
    return f"{'came into' if line.get('edge') == 'entered' else 'left'} the segment '{line.get('name')}'"


def _stage(line: Line, zone: ZoneInfo) -> str:
    before = f" from '{line['from']}'" if line.get("from") else ""
    return f"moved{before} to the stage '{line.get('to')}'"


def _migrated(line: Line, zone: ZoneInfo) -> str:
    return f"was moved from version {line.get('from_version')} to {line.get('to_version')}"


_TELLERS: dict[str, Callable[[Line, ZoneInfo], str]] = {
    "entered": _entered,
    "refused": _refused,
    "waiting": _waiting,
    "rescheduled": _waiting,
    "branched": _branched,
    "assigned": _assigned,
    "held": _held,
    "message": _message,
    "outcome": _outcome,
    "suppressed": _suppressed,
    "coupon": _coupon,
    "released": _released,
    "redeemed": _redeemed,
    "rolled_back": _rolled_back,
    "redemption_refused": _redemption_refused,
    "exhausted": _exhausted,
    "task": _task,
    "attribute": _attribute,
    "event": _event,
    "fetched": _called,
    "webhook": _called,
    "goal": _goal,
    "exited": _exited,
    "completed": _completed,
    "failed": _failed,
    "retried": _retried,
    "segment": _segment,
    "stage": _stage,
    "migrated": _migrated,
}
