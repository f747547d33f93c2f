"""Lengths of SMS at every boundary of the two encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.gsm import beyond_gsm
from orchestrator.templating.sms import SmsRules, segments


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


@pytest.mark.parametrize(
    ("text", "units", "count"),
    [("a" * 70, 70, 1), ("a" * 71, 71, 2), ("a" * 134, 134, 2), ("a" * 135, 135, 3), ("😀" * 35, 70, 1)],
)
def test_in_china_every_character_counts_alike(text: str, units: int, count: int) -> None:
    assert segments(text, "+8613800000000") == ("UCS-2", units, count, 70 if count == 1 else 67)
    assert segments("a" * 160, "+85291234567").segments == 1  # Hong Kong is another plan


CHINA = "+8613800000000"


@pytest.mark.parametrize(
    ("text", "to", "klass", "expected"),
    [
        ("双十一五折", CHINA, "promotional", "【海港】双十一五折，拒收请回复R"),
        ("双十一五折。", CHINA, "promotional", "【海港】双十一五折。拒收请回复R"),
        ("五折，回T退订", CHINA, "promotional", "【海港】五折，回T退订"),
        ("【别名】五折 拒收请回复R", CHINA, "promotional", "【别名】五折 拒收请回复R"),
        ("Hello", CHINA, "promotional", "【海港】Hello，拒收请回复R"),
        ("验证码 1234", CHINA, "transactional", "【海港】验证码 1234"),
        ("海港提醒您", CHINA, "service", "【海港】海港提醒您"),
        ("Sale", "+447400123456", "promotional", "海港: Sale Reply STOP to end"),
        ("Sale. Text STOP to end", "+447400123456", "promotional", "海港: Sale. Text STOP to end"),
        ("Don't stop", "+447400123456", "promotional", "海港: Don't stop Reply STOP to end"),
        ("Soldes", "+33612345678", "promotional", "海港: Soldes STOP 36180"),
        ("Sale", None, "promotional", "海港: Sale Reply STOP to end"),
        ("Order sent", "+447400123456", "service", "海港: Order sent"),
    ],
)
def test_who_signs_and_how_one_ends_it(text: str, to: str | None, klass: str, expected: str) -> None:
    rules = SmsRules("海港", {"default": "Reply STOP to end", "FR": "STOP 36180"})
    finished = rules.finished(text, to, klass)
    assert finished == expected
    assert rules.finished(finished, to, klass) == finished  # nothing is said twice


def test_without_words_of_its_own_a_project_says_how_to_end_it_in_china_only() -> None:
    rules = SmsRules.of({})
    assert rules.finished("Sale", "+447400123456", "promotional") == "Sale"
    assert rules.finished("五折", CHINA, "promotional") == "五折，拒收请回复R"
    assert SmsRules("", {"CN": "回T退订"}).finished("五折", CHINA, "promotional") == "五折，回T退订"
