"""Our own words on forms, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.http.languages import Language

FORM_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "button": "Send",
        "done_title": "Thank you",
        "done": "We have what you sent.",
        "confirm": "Where it is needed, you get a message with a link to confirm your address.",
        "required": "Please fill this in.",
        "required_box": "Please tick this box.",
        "email": "This is no e-mail address that can be written to.",
        "phone": "This is no phone number that can be called. Begin with + and the country's code.",
        "number": "Please write a number.",
        "date": "Please write a date, such as 1990-12-31.",
        "choice": "Please choose one of these.",
        "long": "This is too long.",
        "unreadable": "This cannot be read.",
        "some_wrong": "Something is not right yet.",
        "many": "There were too many tries. Please come again later.",
        "failed": "We could not take this. Please try again later.",
        "optional": "optional",
        "choose": "Please choose",
        "trap": "Leave this empty",
    },
    "zh": {
        "button": "提交",
        "done_title": "谢谢",
        "done": "我们已收到您提交的内容。",
        "confirm": "如有需要，您会收到一条带有确认链接的消息。",
        "required": "请填写此项。",
        "required_box": "请勾选此项。",
        "email": "这不是有效的电子邮件地址。",
        "phone": "这不是有效的电话号码，请以 + 和国家代码开头。",
        "number": "请填写数字。",
        "date": "请填写日期，例如 1990-12-31。",
        "choice": "请选择其中一项。",
        "long": "内容过长。",
        "unreadable": "无法读取此项。",
        "some_wrong": "有些内容需要修改。",
        "many": "尝试次数过多，请稍后再试。",
        "failed": "暂时无法接受，请稍后再试。",
        "optional": "选填",
        "choose": "请选择",
        "trap": "请勿填写此项",
    },
}
