"""What a mail says that came back: `read_returned` tells bounces, delays, complaints and auto-replies apart.

A report in fields is believed first; where there is none, the words are looked at that servers use; flufl.bounce finds
addresses in forms that are older than all standards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email import message_from_bytes
from logging import CRITICAL, getLogger
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from orchestrator.channels.bounces.arf import complaint_of
from orchestrator.channels.bounces.auto_replies import is_auto_reply
from orchestrator.channels.bounces.dsn import Recipient, code_in, envelope_ids_of, recipients_of, status_in
from orchestrator.channels.bounces.reading import Mail, compact, read_mail
from orchestrator.channels.bounces.wordings import verdict_of_status, verdict_of_words

Said: TypeAlias = Literal["hard", "soft", "block", "delayed", "delivered", "complaint"]
Kind: TypeAlias = Literal["bounce", "delayed", "delivered", "complaint", "auto_reply", "unknown"]

LONGEST_WORDS: Final = 300
LARGEST_OLD: Final = 128 * 1024
MOST_OLD_LINES: Final = 1_500
"""Bytes and lines in which addresses are looked for in old forms: each detector looks at each line."""
getLogger("flufl.bounce").setLevel(CRITICAL)  # it writes a traceback wherever a mail is not what a detector expects


class Returned(NamedTuple):
    """What a mail says of one recipient. hard: nothing will ever arrive at this address. soft: nothing does just now.
    block: our mail is not wanted there, whoever it is for. `status` is an enhanced code (RFC 3463)."""

    said: Said
    address: str | None
    status: str | None
    words: str


class Reading(NamedTuple):
    """A mail that came back. `message_ids`: what it holds of ours that may name the message, the most certain first,
    with what signs it (core/verp.py), which is not looked at here;
    `arrived_for`: the addresses that it was sent to (a bounce's own recipient names the message, too)."""

    kind: Kind
    returned: tuple[Returned, ...] = ()
    message_ids: tuple[str, ...] = ()
    arrived_for: tuple[str, ...] = ()


_our_id = re.compile(r"(?im)^[ \t>]*X-Orchestrator-Message[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([!-~]{1,1000})")
_address = re.compile(r"[A-Za-z0-9._+=%~-]{1,300}@[A-Za-z0-9.-]{1,253}")
_at_line = re.compile(
    r"(?m)^[ \t]{0,8}<?([A-Za-z0-9._+=%~-]{1,64}@[A-Za-z0-9.-]{1,253})>?[ \t]*:[ \t]*(?=[\r\n45A-Za-z])"
)
_daemon = re.compile(
    r"(?i)mailer-?daemon|post_?master|mail ?delivery|mail-?delivery|post ?office|bounce|mdaemon|系统退信"
)
_server = re.compile(r"(?i)mailer-?daemon|mdaemon@|post_?master|mail[ -]?delivery|系统退信")
"""Who sends a bounce that says of itself that a program wrote it. What answers for a person may do so over somebody
else's bounce address, and from any domain."""
_SUBJECTS: Final = (
    r"undeliver", r"not deliver", r"non[- ]?deliver", r"fail(?:ed|ure)", r"returned (?:mail|to sender)",
    r"delivery (?:status|error|problem|report|notification|unsuccess)", r"return(?:ed)? receipt error",
    r"mail (?:system )?error", r"could not (?:be )?(?:send|deliver)", r"unable to deliver", r"bounce", r"cannot send",
    r"rejected", r"unzustellbar", r"nicht zustell", r"non remis", r"no se pudo entregar", r"n[ãa]o entreg",
    r"退信", r"投递失败", r"发送失败", r"无法(?:投递|送达)", r"郵件.{0,4}退", r"配信(?:不能|エラー)", r"エラー",
)  # fmt: skip
_DELAYS: Final = (
    r"delay(?:ed)?\b", r"still (?:being|trying|be)", r"will (?:be retried|keep trying|continue to (?:try|attempt))",
    r"not yet been delivered", r"warning: (?:message|could not)", r"could not send (?:mail|message) for past",
    r"this is (?:only )?a warning", r"do not need to resend", r"retr(?:y|ied) (?:until|for)", r"投递延迟",
    r"稍后.{0,6}重试",
)  # fmt: skip
_RETURNED: Final = (
    r"-{2,}.{0,60}(?:original|returned|unsent|copy of|forwarded|below).{0,60}-*$", r"received: ", r"return-path: ",
    r".{0,60}(?:original message|copy of (?:the|your) message|message headers).{0,40}$",
)  # fmt: skip
_subject = re.compile(f"(?i){'|'.join(_SUBJECTS)}")
_delay = re.compile(f"(?i){'|'.join(_DELAYS)}")
_final = re.compile(r"(?i)(?:permanent|fatal|giving up|given up|failed permanently|could not be delivered for)")
_for_now = re.compile(r"4\.(?!1\.)").match
_original = re.compile(f"(?im)^[> ]{{0,4}}(?:{'|'.join(_RETURNED)})")


def read_returned(data: bytes) -> Reading:
    """Tells what a mail says. Never raises, whatever it holds."""
    mail = read_mail(data)
    if mail is None:
        return Reading("unknown")
    ids, arrived = _ours(mail), _arrived_for(mail)
    complaint = complaint_of(mail)
    if complaint is not None:
        if not complaint.complains:
            return Reading("unknown", (), ids, arrived)
        return Reading("complaint", (Returned("complaint", complaint.address, None, complaint.kind),), ids, arrived)
    returned = _of_recipients(recipients_of(mail), mail)
    if not returned:
        if is_auto_reply(mail) and not _server.search(mail.header("from")):
            return Reading("auto_reply", (), ids, arrived)
        returned = _of_words(mail, data)
    if not returned:
        return Reading("auto_reply" if is_auto_reply(mail) else "unknown", (), ids, arrived)
    return Reading(_kind_of(returned), returned, ids, arrived)


def _kind_of(returned: tuple[Returned, ...]) -> Kind:
    said = {one.said for one in returned}
    if said & {"hard", "soft", "block"}:
        return "bounce"
    return "delayed" if "delayed" in said else "delivered"


def _of_recipients(recipients: Sequence[Recipient], mail: Mail) -> tuple[Returned, ...]:
    addresses = [recipient.address for recipient in recipients if recipient.address]
    people = _explanation(mail) if recipients else ""
    return tuple(_of_recipient(recipient, _about(recipient.address, people, addresses)) for recipient in recipients)


def _of_recipient(recipient: Recipient, people: str) -> Returned:
    said: Said
    words = recipient.words
    if not words or (verdict_of_words(words) is None and (recipient.status or "").endswith((".0.0", ".5.0"))):
        words = f"{words} {people}".strip()
    if recipient.action in ("delivered", "relayed", "expanded", "deliverable"):
        said = "delivered"
    elif recipient.action == "delayed":
        said = "delayed"
    elif not recipient.action and (recipient.status or "").startswith("2."):
        said = "delivered"
    else:
        said = verdict(recipient.status, words)
    return Returned(said, recipient.original or recipient.address, recipient.status, _short(words))


def verdict(status: str | None, words: str) -> Literal["hard", "soft", "block"]:
    """What a failure means, by its words, then by its enhanced code; soft where neither tells.

    Nothing is gone for good of which a server only says that it does not work now (4.x.x), such as a domain that no
    name server knew while it was tried: where it stays so, soft bounces add up. But a mailbox that was unknown until
    the other server gave up (4.1.x) is.
    """
    code = status or status_in(words)
    found = verdict_of_words(words) or verdict_of_status(code) or "soft"
    return "soft" if found == "hard" and _for_now(code or "") else found


def _of_words(mail: Mail, data: bytes) -> tuple[Returned, ...]:
    """A bounce that is written for people: the words before the returned mail."""
    words, subject = _explanation(mail), mail.header("subject")
    named = bool(_subject.search(subject))
    temporary, permanent = _older(data)
    if not (named or temporary or permanent or _from_daemon(mail)):
        return ()
    listed = _address.findall(mail.header("x-failed-recipients")) + _at_line.findall(words)
    found = list(dict.fromkeys([*sorted(permanent | temporary), *map(_plain, listed)])) or _addresses_in(words)
    whom: list[str | None] = [*found] or [None]
    status = status_in(words)
    waits = bool(_delay.search(f"{subject}\n{words}")) and not _final.search(words)
    if waits or (temporary and not permanent):
        return tuple(Returned("delayed", address, status, _short(words)) for address in whom)
    if not (found or named or status or verdict_of_words(words) or code_in(words)):
        return ()
    returned = []
    for address in whom:
        own = _about(address, words, found)
        code = status_in(own) or (status if len(found) < 2 else None)
        returned.append(Returned(verdict(code, own), address, code, _short(own)))
    return tuple(returned)


def _plain(address: str) -> str:
    return address.rstrip(".")


def _about(address: str | None, words: str, others: list[str]) -> str:
    """What is said of one address, where several are spoken of: from where it stands to where the next one does."""
    lower, others = words.lower(), [other.lower() for other in others]
    own = (address or "").lower()
    begin = lower.find(own)
    if len(others) < 2 or begin < 0 or not own:
        return words
    ends = (lower.find(other, begin + len(own)) for other in others if other != own)
    return words[begin : min((end for end in ends if end > 0), default=len(words))]


def _older(data: bytes) -> tuple[set[str], set[str]]:
    """Addresses of delays and failures, as flufl.bounce finds them."""
    from flufl.bounce import all_failures

    try:
        temporary, permanent = all_failures(message_from_bytes(compact(data[:LARGEST_OLD], MOST_OLD_LINES)))
    except Exception:  # its detectors read what they expect, and hostile mails are written against that
        return set(), set()
    return _texts(temporary), _texts(permanent)


def _texts(addresses: object) -> set[str]:
    given = addresses if isinstance(addresses, (set, frozenset, list, tuple)) else ()
    decoded = (address.decode("ascii", "replace") if isinstance(address, bytes) else str(address) for address in given)
    return {address for address in decoded if address.count("@") == 1 and len(address) <= 320}


def _explanation(mail: Mail) -> str:
    """What was written for people, without the mail that came back with it."""
    texts = [part.text for part in mail.parts if part.type in ("text/plain", "text/html")]
    whole = texts[0] if texts else ""
    cut = _original.search(whole, 20)
    return (whole[: cut.start()] if cut and cut.start() > 40 else whole)[:4_000]


def _addresses_in(words: str) -> list[str]:
    found = dict.fromkeys(address.rstrip(".") for address in _address.findall(words[:4_000]))
    return [address for address in found if not re.match(r"(?i)mailer-daemon|postmaster", address)][:1]


def _from_daemon(mail: Mail) -> bool:
    return any(_daemon.search(mail.header(name)) for name in ("from", "return-path", "sender") if name in mail.headers)


def _ours(mail: Mail) -> tuple[str, ...]:
    """Our ids in what came back, decoded: those of the report's envelope, then those of our header."""
    return tuple(dict.fromkeys(unquote(match) for match in [*envelope_ids_of(mail), *_our_id.findall(mail.text)[:10]]))


def _arrived_for(mail: Mail) -> tuple[str, ...]:
    names = ("to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to")
    found = (address for name in names for address in _address.findall(mail.header(name)))
    return tuple(dict.fromkeys(found))[:10]


def _short(words: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in words[:2_000]).split())[:LONGEST_WORDS]
