"""Replies that ask for an end, a new beginning or help; and those that only look so."""

from __future__ import annotations

from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.reply_words import HELP_WORDS, START_WORDS, STOP_WORDS, intent_of, keyword_of, spelled

STOPS = """
STOP | stop. | Stop!!! | Ｓｔｏｐ | STOP🛑 | st\u200bop | Please stop | stop please | STOP STOP | Stop, thanks
stop all
Stop now
End | quit | Unsubscribe | opt out | Opt-out | revoke | CANCEL | T | t | TD | td | R | r
please stop texting me
Stop texting me! | Who is this? Stop texting me. | can you stop texting me
stop sending me texts | stop sending me this spam | stop these messages | Don't send me any more
don’t send me any more messages
dont text me again | Please don't contact me again | Do not text this number | i don't want any more messages
take me off your list | remove me from your list please | I want to unsubscribe | unsubscribe me
no more texts please
leave me alone | 退订 | 请退订 | 退订，谢谢 | 我要退订 | 取消 | 拒收
停止 | 回T退订 | TD退订 | 回复TD | 不要再发了 | 别再发短信
请不要再给我发短信了 | 别骚扰我 | 我不想再收到你们的短信了 | 请勿发送广告 | 勿再发
求求你别再发了 | can you please just stop texting me | stop texting me ever again
"""
ORDINARY = """
I can't stop smiling | don't stop | Don't stop texting me | please don't stop | stop by tomorrow
The bus stop is here
non-stop fun | cancel my booking | can you cancel my order? | I'll end up there | how do I stop | quit smoking course?
T-shirt | Thanks, T | R u there | help yourself | start tomorrow? | info about rooms | when does it start | never stop
i love your messages, keep sending | Stop, drop and roll | we will not stop | why did you stop sending me offers
don't contact the hotel | don't send it | don't text me when i am working | Don't forget me | stop it 😂 | end of june
please do not send the invoice by post | If you don't stop texting me I'll come more often | yes | YES please | no
不要退订 | 不用发票 | 不要发了 | 不要再发货了 | 明天再发 | 取消订单 | 取消预订 | 别停 | 不要停 | 停车场在哪里
取消不了
"""


def listed(text: str) -> list[str]:
    return [part.strip(" ") for line in text.strip().split("\n") for part in line.split(" | ")]


@pytest.mark.parametrize("text", [*listed(STOPS), *sorted(STOP_WORDS)])
def test_what_asks_for_an_end_is_heard(text: str) -> None:
    assert intent_of(text) == "stop"


@pytest.mark.parametrize("text", ["", "😂", *listed(ORDINARY)])
def test_what_only_looks_so_is_an_answer_like_any_other(text: str) -> None:
    assert intent_of(text) is None


@pytest.mark.parametrize("text", [*sorted(HELP_WORDS), "help!", "Help please", "帮助。"])
def test_who_asks_for_help_is_heard(text: str) -> None:
    assert intent_of(text) == "help"


@pytest.mark.parametrize("text", [*sorted(START_WORDS), "start please", "恢复！"])
def test_who_wants_to_begin_again_is_heard(text: str) -> None:
    assert intent_of(text) == "start"


@pytest.mark.parametrize(
    ("text", "keyword", "whole"),
    [
        ("Yes, please!", "YES", "YES PLEASE"),
        ("“yes”", "YES", "YES"),
        ("  ２ ", "2", "2"),
        ("\n", None, ""),
        ("...", None, ""),
        ("我要 优惠。", "我要", "我要 优惠"),
    ],
)
def test_keywords(text: str, keyword: str | None, whole: str) -> None:
    assert (keyword_of(text), spelled(text)) == (keyword, whole)


@given(st.text(max_size=300) | st.lists(st.sampled_from(listed(STOPS + ORDINARY)), max_size=12).map(" ".join))
def test_any_text_is_read(text: str) -> None:
    assert intent_of(text) in (None, "stop", "start", "help")
    keyword = keyword_of(text)
    assert keyword is None or (keyword and " " not in keyword)


@pytest.mark.parametrize("head", ["", "stop sending ", "don't want ", "i want to stop getting ", "不要", "请不要再发"])
@pytest.mark.parametrize("word", ["any more ", "all ", "please ", "texts ", "了吧", "请你们", "我想", "发送"])
def test_no_reply_takes_long_to_read(head: str, word: str) -> None:
    text = (head + word * 80)[:155] + "x"
    begun = thread_time()
    intent_of(text)
    intent_of(f"{text}. " * 20)
    assert thread_time() - begun < 0.25
