"""Who signs an SMS, and how long it is: its encoding, its units, and the segments it is sent and paid in.

Sources: 3GPP TS 23.038 and 23.040.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
_UNITS_GSM = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENSION, 2)}

GSM_ALONE, GSM_JOINED = 160, 153
UCS2_ALONE, UCS2_JOINED = 70, 67
"""Units of one segment that stands alone, and of each that has a header to be joined by."""


class SmsLength(NamedTuple):
    """The length of a text as SMS.

    `units` are septets (GSM-7, where €, [, ], {, }, |, ^, ~ and backslash take two) or UTF-16 units (UCS-2, where emoji
    take two). `per_segment` is what fits into one of its segments; neither kind of pair is ever cut in two.
    """

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int
    per_segment: int


def signed(text: str, signature: str) -> str:
    """The text with its sender's name before it, unless it says it itself or there is none. Where it holds Chinese, the
    name stands in the brackets that carriers in China ask for."""
    if not signature or signature.casefold() in text.casefold() or text.lstrip().startswith("【"):
        return text
    if any("\u4e00" <= char <= "\u9fff" for char in text):
        return f"【{signature}】{text}"
    return f"{signature}: {text}"


def segments(text: str) -> SmsLength:
    """Measure a text. An empty one still takes a segment."""
    widths = [_UNITS_GSM.get(char) for char in text]
    if None not in widths:
        return _measured("GSM-7", [width or 0 for width in widths], GSM_ALONE, GSM_JOINED)
    return _measured("UCS-2", [2 if ord(char) > 0xFFFF else 1 for char in text], UCS2_ALONE, UCS2_JOINED)


def beyond_gsm(text: str) -> tuple[str, ...]:
    """The characters that force the text into UCS-2, each once, in order."""
    return tuple(dict.fromkeys(char for char in text if char not in _UNITS_GSM))


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
