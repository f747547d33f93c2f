"""Lengths of SMS at every boundary of the two encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templating.sms import beyond_gsm, segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 0, 1, 160)),
        ("a" * 160, ("GSM-7", 160, 1, 160)),
        ("a" * 161, ("GSM-7", 161, 2, 153)),
        ("a" * 306, ("GSM-7", 306, 2, 153)),
        ("a" * 307, ("GSM-7", 307, 3, 153)),
        ("€" * 80, ("GSM-7", 160, 1, 160)),
        ("€" * 80 + "a", ("GSM-7", 161, 2, 153)),
        ("a" * 152 + "€" + "a" * 7, ("GSM-7", 161, 2, 153)),
        ("a" * 152 + "€" + "a" * 151, ("GSM-7", 305, 2, 153)),  # the pair begins the second segment
        ("a" * 152 + "€" + "a" * 152, ("GSM-7", 306, 3, 153)),
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ^{}\\[~]|\f", ("GSM-7", 50, 1, 160)),
        ("ç", ("UCS-2", 1, 1, 70)),
        ("`", ("UCS-2", 1, 1, 70)),
        ("你" * 70, ("UCS-2", 70, 1, 70)),
        ("你" * 71, ("UCS-2", 71, 2, 67)),
        ("你" * 134, ("UCS-2", 134, 2, 67)),
        ("你" * 135, ("UCS-2", 135, 3, 67)),
        ("😀" * 35, ("UCS-2", 70, 1, 70)),
        ("😀" * 36, ("UCS-2", 72, 2, 67)),
        ("😀" * 66, ("UCS-2", 132, 2, 67)),  # 33 whole pairs a segment
        ("😀" * 67, ("UCS-2", 134, 3, 67)),
        ("你" * 66 + "😀" + "你" * 65, ("UCS-2", 133, 2, 67)),
        ("你" * 66 + "😀" + "你" * 66, ("UCS-2", 134, 3, 67)),
        ("’", ("UCS-2", 1, 1, 70)),
    ],
)
def test_boundaries(text: str, expected: tuple[str, int, int, int]) -> None:
    assert segments(text) == expected


@given(st.text(st.sampled_from("a€\n[你😀ü"), max_size=400))
def test_segments_hold_the_text_and_never_waste_one(text: str) -> None:
    length = segments(text)
    assert length.units <= length.segments * length.per_segment
    pairs_that_could_be_cut = length.segments - 1
    assert length.units > (length.segments - 1) * length.per_segment - pairs_that_could_be_cut or length.segments == 1
    assert segments(text + "a").segments >= length.segments
    assert (length.encoding == "GSM-7") == (beyond_gsm(text) == ())


def test_what_forces_the_long_encoding_is_named_once() -> None:
    assert beyond_gsm("it’s 5’ – ok") == ("’", "–")
