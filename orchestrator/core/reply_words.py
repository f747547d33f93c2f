"""What people write back to a text: that it must stop, may begin again, or that they need help.

Recognised with care: a word counts when it is the whole reply, a free wording when it is a whole sentence of its own
("please stop texting me"), so that "I can't stop smiling" and "don't stop" are ordinary answers. Sources of the words:
CTIA's Messaging Principles (2023), 47 CFR 64.1200(a)(10) of the FCC (stop, quit, end, revoke, opt out, cancel,
unsubscribe), and for China the Measures on Communication Short Message Services (2015), article 18, with the answers
that its carriers ask for: T, TD, R, 退订.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, TypeAlias

Intent: TypeAlias = Literal["stop", "start", "help"]

STOP_WORDS: Final = frozenset(
    {
        "STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "OPT OUT",
        "OPT-OUT", "T", "TD", "R", "QX", "退订", "取消", "停止", "拒收", "取消订阅", "退訂", "取消訂閱",
    }
)  # fmt: skip
"""Words that end all messages to a phone number when they are the whole reply."""
START_WORDS: Final = frozenset(
    {"START", "UNSTOP", "RESUME", "RESUBSCRIBE", "OPTIN", "OPT IN", "OPT-IN", "恢复", "恢复订阅", "重新订阅", "恢復"}
)
"""Words that take a STOP back."""
HELP_WORDS: Final = frozenset({"HELP", "INFO", "HELP ME", "帮助", "幫助"})
"""Words that ask who is writing, and how to end it."""

LONGEST_READ: Final = 1_000
"""Characters of a reply that are looked at: as long as any text over several segments that a person types."""
_LONGEST_SENTENCE: Final = 160

_POLITE: Final = frozenset(
    {"PLEASE", "PLS", "PLZ", "THANKS", "THANK", "YOU", "THX", "TY", "NOW", "IMMEDIATELY", "OK", "OKAY", "HI", "HELLO"}
)
_POLITE_CHINESE: Final = re.compile(r"^(?:你好|您好|请|麻烦|谢谢)+|(?:谢谢你?|感谢|了|吧)+$")
_MARKS: Final = re.compile(r"[^\w\s'\-]+")
_ENDS: Final = re.compile(r"[.!?;,:\n\r。！？；，、：…~～]+")
_SPACE: Final = re.compile(r"\s+")

_OBJECT: Final = r"(?: (?:me|us|this number|this phone|my phone|my number|to me|here))?"
_THINGS: Final = (
    r"(?: (?:any|more|anymore|these|those|this|that|the|your|such|all|of|stupid|annoying|marketing|promotional|"
    r"promo|unwanted|text|sms|spam))*"
    r"(?: (?:texts?|messages?|msgs?|sms|spam|texting|ads?|advertising|advertisements?|offers?|coupons?|promotions?|"
    r"promos?|deals?|notifications?|alerts?|reminders?|crap|stuff|things|any ?more|anymore|more))"
)
_TAIL: Final = r"(?: (?:please|pls|plz|thanks|thank you|thx|now|again|ever|any ?more|at all|immediately))*"
_BEFORE: Final = (
    r"(?:(?:please|pls|plz|just|ok|okay|hi|hello|hey|kindly|i said|i want you to|i would like you to|"
    r"(?:can|could|would|will) you) )*"
)
_LIST: Final = rf"(?:{_THINGS}|(?: mailing| text| sms)? list)"
_NEVER: Final = r"(?:do not|don't|dont|never)"
_WISH: Final = r"(?:i )?(?:want|wish|need|would like|'d like|i'd like)"
_THE_LIST: Final = r"(?:your|this|the)(?: mailing| text| texting| sms| message| contact| marketing)* (?:lists?|system)"
_FREE_ENGLISH: Final = tuple(
    re.compile(rf"{_BEFORE}(?:{pattern}){_TAIL}")
    for pattern in (
        rf"(?:stop|quit) (?:texting|messaging|contacting|spamming|bothering|harassing|smsing){_OBJECT}",
        rf"(?:stop|quit|cease) sending{_OBJECT}(?:{_THINGS})?(?: to me| to this number)?",
        rf"(?:stop|cancel|end) (?:the|these|those|this|your|all)(?:{_THINGS}){_OBJECT}",
        rf"{_NEVER} (?:text|message|contact|sms|spam|bother) (?:me|us|this number|this phone)(?:{_THINGS})?",
        rf"{_NEVER} send(?: (?:me|us))?(?:{_THINGS})(?: to me| to this number)?",
        rf"(?:i )?{_NEVER} want(?: to (?:get|receive|see))?(?:{_THINGS})(?: from you(?: guys)?)?",
        rf"{_WISH} (?:you )?to stop (?:getting|receiving|sending)(?:{_THINGS})",
        rf"{_WISH} to (?:unsubscribe|opt out)(?: (?:from|of) (?:this|these|your|the){_LIST})?",
        rf"unsubscribe(?: me)?(?: from (?:this|these|your|the|all){_LIST})?",
        rf"opt(?: me)? out(?: of (?:this|these|your|the|all){_LIST})?",
        rf"(?:take|remove|get|delete) (?:me|my number|this number) (?:off|from|off of|out of) {_THE_LIST}",
        r"remove me|leave me alone|lose my number|delete my number|remove my number",
        r"no more(?: of)?(?: these| your| any)*(?: texts?| messages?| sms| spam| ads)",
    )
)  # fmt: skip
_CHINESE_BEFORE: Final = r"(?:请|麻烦|拜托|求|你们|你|您|以后|从此|能不能|可不可以|可以|我说|都|就|千万)*"
_CHINESE_THING: Final = r"(?:短信|信息|消息|短消息|讯息|广告|通知|推送|垃圾短信|垃圾信息|营销短信|推广短信|简讯|短訊)"
_CHINESE_END: Final = r"(?:给我|到我手机|了|啦|吧|好吗|好不好|行吗|可以吗|谢谢)*"
_NOT: Final = r"(?:不要|别|勿|莫|不许|禁止|停止|拒绝|不用|不必)"
_TO_ME: Final = r"(?:给我|向我|往我手机|对我)?"
_SEND: Final = r"(?:发送?|推送|群发)我?(?:这些|任何|这种|什么)?"
_I_WANT: Final = r"(?:我要|我想|帮我|给我|我)*"
_OF_ALL: Final = r"(?:这些|所有|你们的?|全部)*"
_FREE_CHINESE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_CHINESE_BEFORE}{_NOT}{_TO_ME}再{_TO_ME}{_SEND}{_CHINESE_THING}?{_CHINESE_END}",
        rf"{_CHINESE_BEFORE}{_NOT}{_TO_ME}{_SEND}{_CHINESE_THING}{_CHINESE_END}",
        rf"{_CHINESE_BEFORE}{_NOT}再?骚扰(?:我|人)?{_CHINESE_END}",
        rf"我?(?:不想|不愿意?|不希望)再?(?:收到?|接收|看到)(?:你们的?|这些|任何|这种)*{_CHINESE_THING}{_CHINESE_END}",
        rf"{_CHINESE_BEFORE}{_I_WANT}(?:退订|取消订阅|退出订阅|拒收|退訂){_OF_ALL}{_CHINESE_THING}?{_CHINESE_END}",
        r"(?:回复?)?(?:TD|T|N|R|QX)(?:退订|取消|拒收)",
        r"回复?(?:TD|T|R|QX)",
    )
)


def intent_of(text: str) -> Intent | None:
    """What a reply asks for; None: it is an answer like any other."""
    read = spelled(text)
    if not read:
        return None
    for words, intent in _WORDS:
        if read in words:
            return intent
    bare = _POLITE_CHINESE.sub("", read)
    tokens = [token for token in read.split() if token not in _POLITE]
    for words, intent in _WORDS:
        # A single letter is a word only when it stands alone: "Thanks, T" is a signature.
        if (len(bare) > 1 and bare in words) or (tokens and all(len(t) > 1 and t in words for t in tokens)):
            return intent
    return "stop" if any(map(_asks_to_stop, _ENDS.split(_folded(text)))) else None


def keyword_of(text: str) -> str | None:
    """The first word of a reply as keywords are compared: without punctuation, in capital letters."""
    words = _folded(text).upper().split()
    return (words[0].strip(_AROUND) or None) if words else None


def spelled(text: str) -> str:
    """A reply as a whole as words are compared: compatibility forms folded, no punctuation around it, in capital
    letters, one space between words."""
    return " ".join(_MARKS.sub(" ", _folded(text).upper()).split()).strip(_AROUND)


_AROUND: Final = " .,;:!?\"'()[]<>*_-~。，！？；：、“”‘’「」【】（）《》…"
_WORDS: Final[tuple[tuple[frozenset[str], Intent], ...]] = (
    (STOP_WORDS, "stop"),
    (START_WORDS, "start"),
    (HELP_WORDS, "help"),
)


def _folded(text: str) -> str:
    kept = "".join(c for c in text[:LONGEST_READ] if unicodedata.category(c) not in ("Cf", "Cc") or c in "\n\r\t")
    return unicodedata.normalize("NFKC", kept).replace("\u2019", "'").replace("\u2018", "'").strip()


def _asks_to_stop(sentence: str) -> bool:
    if not 1 < len(sentence) <= _LONGEST_SENTENCE:
        return False
    if sentence.isascii():
        plain = _SPACE.sub(" ", _MARKS.sub(" ", sentence.casefold())).strip()
        return any(pattern.fullmatch(plain) for pattern in _FREE_ENGLISH)
    plain = _SPACE.sub("", _MARKS.sub("", sentence.upper()))
    return any(pattern.fullmatch(plain) for pattern in _FREE_CHINESE)
