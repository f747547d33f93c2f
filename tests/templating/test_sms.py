"""Lengths of SMS at every boundary of the two encodings."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.core.gsm import beyond_gsm
from orchestrator.core.reply_words import STOP_WORDS, intent_of
from orchestrator.templating.sms import SmsRules, says_how_to_stop, segments


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
        ("【海港】五折 拒收请回复R", CHINA, "promotional", "【海港】五折 拒收请回复R"),
        ("【双11狂欢】五折 拒收请回复R", CHINA, "promotional", "【海港】【双11狂欢】五折 拒收请回复R"),
        ("【Sale】 now", "+447400123456", "service", "【Sale】 now"),
        ("返回T恤专区享8折", CHINA, "promotional", "【海港】返回T恤专区享8折，拒收请回复R"),
        ("回复N领取优惠券", CHINA, "promotional", "【海港】回复N领取优惠券，拒收请回复R"),
        ("酒店免费退订，享8折", CHINA, "promotional", "【海港】酒店免费退订，享8折，拒收请回复R"),
        (
            "Text us before the end of May",
            "+447400123456",
            "promotional",
            "海港: Text us before the end of May Reply STOP to end",
        ),
        (
            "Send gifts this week-end",
            "+447400123456",
            "promotional",
            "海港: Send gifts this week-end Reply STOP to end",
        ),
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


@pytest.mark.parametrize(
    "text",
    [
        "回T退订", "回复TD退订", "回复R拒收", "退订回T", "拒收请回复R", "退订请回复“TD”。", "回复TD即可退订",
        "回 T 退订", "退订回复取消", "退订：https://a.com/u/x", "回复退订",
        "Reply STOP to end", "reply stop", "Reply 'STOP' to opt out.", "Text END",
        "Txt STOP to 12345", "Text \"QUIT\"", "STOP to end", "STOP=end", "Unsubscribe: https://a.com/u/x",
        "opt out here: {{ unsubscribe_url }}", "https://a.com/u/x to unsubscribe", "Antworten Sie mit STOP",
        "Répondez STOP", "Envoyez STOP au 36180", "Reply HELP for help, reply STOP to cancel",
        "Reply OPT OUT to leave.",
    ],
)  # fmt: skip
def test_a_text_that_says_how_to_end_it(text: str) -> None:
    for whole in (text, f"五折 {text}", f"Sale! {text}", f"五折，{text}"):
        assert says_how_to_stop(whole), whole


@pytest.mark.parametrize(
    "text",
    [
        "返回T恤专区享8折", "回复N领取优惠券", "回复T恤即可参加", "回R&D中心", "酒店免费退订", "可随时取消订阅会员",
        "拒收快递须知", "回复1参加",
        "Text us before the end of May", "Send gifts this week-end", "Don't stop", "Send stop-motion films to friends",
        "Never stop to smell", "Opt out of boring mornings", "Reply YES to end your search", "Answer ending soon",
        "We never ask you to unsubscribe", "Text ENDLESS to win", "Responda BAJA para salir",
    ],
)  # fmt: skip
def test_a_text_that_only_sounds_like_it(text: str) -> None:
    for whole in (text, f"五折 {text}", f"{text}, sale"):
        assert not says_how_to_stop(whole), whole


@given(st.sampled_from(sorted(STOP_WORDS)), st.sampled_from(["", "“{}”", "'{}'", " {}"]))
def test_every_word_that_is_obeyed_can_be_said(word: str, quoted: str) -> None:
    said = (quoted or "{}").format(word)
    assert intent_of(said) == "stop"
    verb = "Reply " if word.isascii() and len(word) > 2 else "回复"
    assert says_how_to_stop(f"Sale. {verb}{said}")


@given(st.text(st.sampled_from("TDRNQX恤领券1 "), min_size=1, max_size=3))
def test_no_word_is_believed_that_is_not_obeyed(code: str) -> None:
    assume(intent_of(code) != "stop")
    assert not says_how_to_stop(f"五折 回复{code}")
    assert not says_how_to_stop(f"Sale, reply {code}")


@given(st.text(st.sampled_from("【】回复TR退订 reply STOP to end\"'{h"), max_size=60))
def test_whatever_a_text_says_it_is_signed_once_and_tells_the_way_out(text: str) -> None:
    rules = SmsRules("海港", {"default": "Reply STOP to end"})
    for to in (CHINA, "+447400123456"):
        finished = rules.finished(text, to, "promotional")
        assert says_how_to_stop(finished)
        assert rules.finished(finished, to, "promotional") == finished
    assert rules.finished(text, CHINA, "service").lstrip().startswith("【海港】")
