"""What mail servers say in words, in one table: where it is about the address itself (`hard`), about its mailbox or
the way there just now (`soft`), or about us (`block`: our reputation, our configuration, this content).

Words come before codes: servers say 550 5.7.1 of unknown users and of unwelcome senders alike. The first row that is
found decides; so what excuses an address stands before what condemns it. `source` names who says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

Verdict: TypeAlias = Literal["hard", "soft", "block"]


class Wording(NamedTuple):
    """A row: what it means, whose words they are, and what is looked for (in lower case, blanks as single spaces)."""

    verdict: Verdict
    source: str
    patterns: tuple[str, ...]


TABLE: Final[Sequence[Wording]] = (
    # Exim's hint on what may be wrong names blacklists, too; it stands where account or domain are not known.
    Wording(
        "hard",
        "Exim as cPanel configures it",
        (r"account or domain may not exist",),
    ),
    # It is about us: who sends, from where, and what.
    Wording(
        "block",
        "Postfix, Exim, Gmail 5.7.26, Exchange Online 5.7.606, Spamhaus",
        (
            (
                r"(?:sender|from|return[- ]?path|mail from|envelope).{0,30}(?:verif|reject|refus|denied|"
                r"invalid|not exist|unknown|block|fail|not allowed)(?!.{0,20}recipient)"
            ),
            r"domain of sender",
            r"sender (?:address )?(?:domain|rejected|id)",
            r"not allowed to send",
            r"spf(?: record| check|.{0,20}fail)",
            r"dkim",
            r"dmarc",
            r"black ?list",
            r"blocklist",
            r"block list",
            r"\bdnsbl\b",
            r"\brbl\b",
            r"spamhaus",
            r"spamcop",
            r"poor reputation",
            r"bad reputation",
            r"low reputation",
            r"reputation",
            r"\bspam\b",
            r"junk mail",
            r"unsolicited",
            r"content (?:rejected|filter)",
            r"message (?:content )?(?:rejected|refused) (?:due|because|for)",
            r"virus",
            r"malware",
            r"phish",
            r"ptr record",
            r"reverse dns",
            r"cannot find your (?:reverse )?hostname",
            r"client host (?:rejected|blocked)",
            r"helo command rejected",
            r"ip (?:address )?(?:is |has been )?(?:block|ban|listed)",
            r"rate limit",
            r"too many (?:connections|messages|recipients|emails)",
            r"throttl",
            r"deferred due to user complaints",
            r"relay(?:ing)? (?:denied|not permitted|access denied)",
            r"not permitted to relay",
            r"after mail from",
            r"my name was rejected",
            r"unrout\w+ sender",
            r"5\.7\.(?:23|25|26|27|606|511)",
        ),
    ),
    Wording(
        "block",
        "NetEase 163/126 (退信代码 DT, MI, RP, HL), QQ Mail (550 Mail content denied, 连接频率)",
        (
            r"垃圾邮件",
            r"反垃圾",
            r"黑名单",
            r"拒收",
            r"信誉",
            r"频率(?:过高|限制|超)",
            r"发信(?:频率|过快|ip)",
            r"内容.{0,6}(?:违规|可疑)",
            r"dt:sp[mf]",
            r"mi:(?:spb|spf|dmc|srb|nhd|imf)",
            r"rp:(?:qrc|trc)",
            r"hl:i[tp]b",
            r"connection frequency limited",
            r"suspected spam",
            r"mail content denied",
            r"ip frequency limited",
            r"domain frequency limited",
        ),
    ),
    # The mailbox is there, and takes nothing just now.
    Wording(
        "soft",
        "Postfix, Exim, Dovecot, Exchange 5.2.2, Gmail, Yahoo",
        (
            r"mailbox (?:is |size |has )?(?:full|exceed|over|limit|quota)",
            r"(?:over|out of|exceed\w*)[ -](?:\w+ )*quota",
            r"quota (?:is |has been )?exceed",
            r"quota(?: full|-exceeded| limit|violation)",
            r"full mailbox",
            r"mailbox.{0,30}(?:is|has) full",
            r"disk (?:is |quota )?(?:full|exceed)",
            r"insufficient (?:disk|storage|system storage|space)",
            r"mailbox size limit",
            (
                r"(?:too|not enough|no) (?:much|many|space|storage|room)(?! mail| error).{0,20}(?:mailbox|"
                r"disk|device|server|storage)"
            ),
            r"inbox is full",
            r"mailfolder is full",
            r"maildir (?:has )?over",
            r"account (?:is )?(?:full|over)",
            r"storage (?:limit|allocation)",
            r"recipient (?:storage|rejected: mailbox would exceed)",
            r"boite du destinataire pleine",
            r"espa[cç]o",
            r"would exceed mailbox",
            r"user has exhausted",
            r"exceeded (?:storage|the|their|maximum|allowable|its)",
            r"no space left",
            r"mailbox.{0,20}almost full",
        ),
    ),
    Wording(
        "soft",
        "Courier, qmail",
        (
            r"user is over",
            r"over the maximum",
            r"is full",
            r"exceeds the quota",
            r"size limit exceed",
            r"user.{0,20}too much mail",
        ),
    ),
    Wording(
        "soft",
        "QQ, NetEase, Aliyun, Sina",
        (
            r"邮箱(?:已满|空间不足|容量)",
            r"空间(?:已满|不足)",
            r"超过.{0,6}(?:容量|配额)",
            r"收件人邮箱.{0,6}满",
        ),
    ),
    Wording(
        "soft",
        "Gmail 5.2.1, Yahoo, NetEase, QQ",
        (
            (
                r"(?:account|mailbox|user|recipient|address).{0,40}(?:suspend|locked|frozen|disabled|inactive|"
                r"deactivated|blocked due to inactivity)"
            ),
            r"(?:inactive|disabled|suspended|expired) (?:user|account|mailbox|recipient)",
            r"not (?:been )?active",
            r"email account.{0,40}disabled",
            r"账[号户].{0,8}(?:冻结|停用|锁定|禁用)",
            r"帐[号户].{0,8}(?:冻结|停用|锁定|禁用)",
            r"邮箱.{0,6}(?:冻结|停用)",
        ),
    ),
    Wording(
        "soft",
        "Postfix (a name server that did not answer), procmail (its own fault, whatever it calls it)",
        (
            r"not found, try again",
            r"procmail: (?:couldn'?t|can'?t|cannot) create",
        ),
    ),
    # The address, or its domain.
    Wording(
        "hard",
        "Postfix, Exim, Sendmail, Exchange 5.1.1, Gmail",
        (
            (
                r"(?:user|recipient|mailbox|account|address|alias|mail ?drop|e-?mail address|"
                r"local part)\W{0,3}(?:\S{0,80} )?(?:is |was |has |name |address )?(?:unknown|not ?found|"
                r"(?:does )?n[o']t (?:exist|listed|valid|known)|does not exist|doesn'?t exist|invalid|"
                r"not a known|unrecogni[sz]ed|nonexistent|no longer (?:exists?|available|valid|active|on|in))"
            ),
            (
                r"(?:unknown|no such|invalid|non[- ]?existent|unrecogni[sz]ed|bad|undefined|illegal|"
                r"unrouteable|unroutable) (?:\S+ )?(?:user|recipient|mailbox|account|address|alias|local|"
                r"person|destination mailbox|name)(?! ?:? ?(?:access denied|relay))"
            ),
            r"no (?:mailbox|user|account|recipient|one) (?:here|by that|with that|found|exists|of that)",
            r"doesn'?t have (?:a|an) (?:\S+ )?account",
            r"user \S+ (?:is )?(?:unknown|does not exist)",
            r"not our customer",
            r"is not a (?:known|valid|current|registered)",
            r"not a valid (?:mailbox|user|recipient)",
            r"addressee unknown",
            r"unknown local[- ]part",
            r"unknown[ -]?address",
            r"user[-_ ]?unknown",
            r"unknownuser",
            r"(?:can(?:'t|not)) (?:find|locate|verify) (?:the )?(?:mailbox|user|recipient)",
        ),
    ),
    Wording(
        "hard",
        "Outlook.com, IMail, Domino, qmail, Yahoo",
        (
            r"requested action not taken: (?:mailbox unavailable|no such)",
            r"name is not recognized",
            r"indicated no smtp service",
            r"no mx (?:record|found)",
            r"55\d \S+\.\S+ does not exist",
            r"invalid final delivery",
            r"not (?:be )?listed in",
            r"no valid recipients",
            r"recipient address rejected\.?$",
            r"directory services? .{0,20}not found",
            r"domain is not reachable",
            r"invalid domain",
            r"couldn'?t find a mail exchanger",
            r"system not accepting (?:network )?messages",
            r"does not support mail",
            r"ディレクトリのリストにありません",
            r"見つかりません",
            r"宛先不明",
            r"存在しません",
        ),
    ),
    Wording(
        "hard",
        "Exchange Online and Exchange (NDR codes of Microsoft Learn), Symantec Email Security.cloud (542)",
        (
            r"recipientnotfound",
            r"recipnotfound",
            r"resolver\.adr\.\w*notfound",
            r"resolver\.adr\.exrecipnotfound",
            r"recipient.{0,30}not found",
            r"couldn'?t be found",
            r"wasn'?t found at",
            r"recipient address rejected: access denied",
            r"access denied, tag",
            r"no such (?:person|mail drop)",
            r"\b542 \S+@\S+ rejected",
            r"recipient not authorized, in case of",
        ),
    ),
    Wording(
        "hard",
        "NetEase 163/126 (SMTP退信说明), QQ Mail (退信代码), Aliyun, Sina",
        (
            r"用户不存在",
            r"(?:收件人|用户|账号|帐号|邮箱|地址).{0,10}(?:不存在|无效|错误|未找到|找不到|没有找到)",
            r"不存在.{0,6}(?:用户|收件人|邮箱)",
            r"user not found",
            r"no such user",
            r"mailbox not found",
            r"mailbox unavailable or access denied",
            r"被注销",
        ),
    ),
    Wording(
        "hard",
        "qmail, Exim, RFC 7505",
        (
            r"this (?:user|account) (?:doesn'?t|does not) have",
            r"sorry, no mailbox here",
            r"sorry, i couldn'?t find any host",
            r"couldn'?t find any host named",
            (
                r"(?:host|domain|name service).{0,40}(?:not found|unknown|does not exist|doesn'?t exist|"
                r"non[- ]?existent|name not found|no such)"
            ),
            r"(?:unknown|no such|illegal|unrouteable|unroutable) (?:\S+ )?(?:host|domain)(?! ?name in)",
            r"nullmx",
            r"does not accept (?:mail|e-?mail)",
            r"accepts? no (?:mail|e-?mail)",
            r"no mail (?:service|hosts?)",
            r"mail domain mentioned",
            r"域名.{0,6}(?:不存在|错误|无法解析)",
            r"moved to",
            r"has moved",
            r"no longer (?:works?|employed|here|with)",
            r"left the company",
        ),
    ),
)
"""Rows in their order."""

_compiled: Final = tuple((re.compile("|".join(row.patterns)), row.verdict) for row in TABLE)


_wrapped: Final = re.compile(r"[45]\.\d\.\d - (?:unknown address error|other mail system problem) (?=[45]\d\d)")
"""What Cisco's AsyncOS (IronPort) writes before another server's reply, whatever that says."""


def verdict_of_words(text: str) -> Verdict | None:
    """What words mean; None: nothing in the table."""
    plain = _wrapped.sub("", " ".join(text[:4_000].lower().split()))
    for pattern, verdict in _compiled:
        if pattern.search(plain):
            return verdict
    return None


def verdict_of_status(status: str | None) -> Verdict | None:
    """What an enhanced status code means (RFC 3463, and those of its registry); None: there is none, or it says only
    that something failed."""
    if not status:
        return None
    if status in _CODES:
        return _CODES[status]
    if status.startswith(("5.6.", "5.7.", "4.7.")):
        return "block"
    return "soft" if status[:2] in ("4.", "5.") else None


_CODES: Final[dict[str, Verdict]] = {
    "5.1.0": "hard", "5.1.1": "hard", "5.1.2": "hard", "5.1.3": "hard", "5.1.6": "hard", "5.1.10": "hard",
    "5.1.7": "block", "5.1.8": "block", "5.1.9": "block",
}  # fmt: skip
