"""Who signs an SMS, how one ends them, and how long it is: its encoding, its units, and the segments it is sent and
paid in.

Sources: 3GPP TS 23.038 and 23.040; for China the carriers' rules: the sender's name in the brackets 【】 first, the
way out at the end of what advertises (Measures on Communication Short Message Services, 2015, articles 16 and 18), and
every character counted alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from orchestrator.core.addresses import country_of_phone
from orchestrator.core.gsm import SEPTETS
from orchestrator.core.reply_words import STOP_WORDS

GSM_ALONE, GSM_JOINED = 160, 153
UCS2_ALONE, UCS2_JOINED = 70, 67
"""Units of one segment that stands alone, and of each that has a header to be joined by."""
CHINA: Final = "CN"
CHINA_OPT_OUT: Final = "拒收请回复R"
"""The way out under what advertises, where project.yaml gives no other for China."""
_CHINA_PREFIX: Final = "+86"
_QUOTES: Final = r"[\s\"'“”‘’「」『』«»（）()\[\]]{0,3}"


def _one_of(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(re.escape(word) for word in sorted(words, key=len, reverse=True))})"


_WORD: Final = _one_of(word for word in STOP_WORDS if word.isascii() and len(word) > 2)
_CODE: Final = _one_of(word for word in STOP_WORDS if len(word) < 3 or not word.isascii())
_STOPS: Final = r"\Z|[.,;:!?/。，；：、！？…\n]"
_LINK: Final = r"(?:https?://|\{\{)"
_ENDED: Final = r"(?:退订|退訂|拒收|取消订阅|取消訂閱)"
_ENDS: Final = r"(?:end|stop|opt[- ]?out|quit|cancel|unsub\w*|leave)\b"
_SAYS_HOW_TO_STOP: Final = re.compile(
    # 回T退订, 回复TD退订, 拒收请回复R; never 返回T恤 or 回复N领取.
    rf"(?<!返)(?:回[复覆]?|答复|发送){_QUOTES}{_CODE}{_QUOTES}(?=(?:即可|可以?)?{_ENDED}|{_STOPS})"
    rf"|{_ENDED}\W{{0,3}}(?:请?点击?|戳)?\W{{0,3}}{_LINK}"
    # Reply STOP to end, text "END", antworte STOP; STOP to opt out; a link to do so.
    r"|\b(?:reply|respond|answer|text|txt|send|antworten?(?: sie)?|responda|répondez|envoyez)"
    rf"(?: with| back| mit| con| com| par)?:?{_QUOTES}{_WORD}\b{_QUOTES}"
    rf"(?={_STOPS}|\d{{4,6}}\b|(?:to|2|for|at|and|or|anytime|any time|au|pour|para|an|zum|um|per|y)\b)"
    rf"|\b{_WORD}{_QUOTES}(?:to|2|=|for){_QUOTES}{_ENDS}"
    rf"|\b(?:unsubscribe|opt[- ]?out)(?: here| at| via)?\W{{0,3}}{_LINK}"
    rf"|{_LINK}[^\s]+\s+(?:to|2|for) {_ENDS}",
    re.IGNORECASE,
)
"""What a reader can do: a reply that `intent_of` obeys, or a link. Words that only speak of it (酒店免费退订, "opt out
of boring mornings") are no way out."""


class SmsLength(NamedTuple):
    """The length of a text as SMS.

    `units` are septets (GSM-7, where €, [, ], {, }, |, ^, ~ and backslash take two) or UTF-16 units (UCS-2, where emoji
    take two). `per_segment` is what fits into one of its segments; neither kind of pair is ever cut in two.
    """

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int
    per_segment: int


class SmsRules(NamedTuple):
    """What project.yaml says about texts: the brand's `signature`, and the words on how to end promotional ones by the
    country of the number, `default` for all others."""

    signature: str = ""
    opt_out: Mapping[str, str] = {}

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> SmsRules:
        """The rules of a project's channel `sms`."""
        return cls(str(options.get("signature") or ""), dict(options.get("opt_out") or {}))

    def finished(self, text: str, to: str | None, klass: str | None) -> str:
        """The text as it is sent to a number (E.164; None: it is not known yet)."""
        text = signed(text, self.signature, china=is_chinese(to))
        return with_opt_out(text, self.way_out(to)) if klass == "promotional" else text

    def way_out(self, to: str | None) -> str:
        """The words on how to end texts to this number; empty: none are asked for."""
        if is_chinese(to):
            return self.opt_out.get(CHINA, CHINA_OPT_OUT)
        if not self.opt_out:
            return ""
        return self.opt_out.get(country_of_phone(to or "") or "", self.opt_out.get("default", ""))


def signed(text: str, signature: str, china: bool = False) -> str:
    """The text with its sender's name before it, unless it says it itself or there is none. Where it holds Chinese, the
    name stands in the brackets that carriers in China ask for; `china`: it goes there, so that it always does."""
    # To China only the registered name will do: 【双11狂欢】 is no sender. Elsewhere brackets may name it otherwise.
    own = f"【{signature.casefold()}】" if china else "【"
    if not signature or text.lstrip().casefold().startswith(own):
        return text
    if china:
        return f"【{signature}】{text}"
    if signature.casefold() in text.casefold():
        return text
    if any("\u4e00" <= char <= "\u9fff" for char in text):
        return f"【{signature}】{text}"
    return f"{signature}: {text}"


def with_opt_out(text: str, words: str) -> str:
    """The text with the words on how to end such texts behind it, unless it says how itself or there are none."""
    if not words or words.casefold() in text.casefold() or says_how_to_stop(text):
        return text
    body = text.rstrip()
    if any("\u4e00" <= char <= "\u9fff" for char in words):
        return f"{body}{'' if body.endswith(tuple('。！？；，,.!?;')) else '，'}{words}"
    return f"{body} {words}"


def says_how_to_stop(text: str) -> bool:
    """Whether a text tells its reader how to get no more of them, in English or Chinese: by a reply that is obeyed
    (core/reply_words.py), or by a link."""
    return _SAYS_HOW_TO_STOP.search(text) is not None


def is_chinese(to: str | None) -> bool:
    """Whether a number in E.164 belongs to mainland China."""
    return to is not None and to.startswith(_CHINA_PREFIX)


def segments(text: str, to: str | None = None) -> SmsLength:
    """Measure a text. An empty one still takes a segment. `to`: the number; in China every text is sent in UCS-2."""
    if not is_chinese(to):
        widths = [SEPTETS.get(char) for char in text]
        if None not in widths:
            return _measured("GSM-7", [width or 0 for width in widths], GSM_ALONE, GSM_JOINED)
    return _measured("UCS-2", [2 if ord(char) > 0xFFFF else 1 for char in text], UCS2_ALONE, UCS2_JOINED)


def _measured(encoding: Literal["GSM-7", "UCS-2"], widths: list[int], alone: int, joined: int) -> SmsLength:
    units = sum(widths)
    if units <= alone:
        return SmsLength(encoding, units, 1, alone)
    count, room = 1, joined
    for width in widths:
        if width > room:  # a pair that would be cut begins the next segment
            count, room = count + 1, joined
        room -= width
    return SmsLength(encoding, units, count, joined)
