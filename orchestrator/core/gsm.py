"""The alphabet of plain SMS: GSM 7 bit (3GPP TS 23.038, section 6.2.1)."""

from __future__ import annotations

from typing import Final

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "\f^{}\\[~]|€"
SEPTETS: Final = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENSION, 2)}
"""How many septets each of its characters takes: two behind an escape."""


def beyond_gsm(text: str) -> tuple[str, ...]:
    """The characters that force a text into UCS-2, each once, in order."""
    return tuple(dict.fromkeys(char for char in text if char not in SEPTETS))
