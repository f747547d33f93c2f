"""Our own words on pages, in English and Chinese. Names in braces are filled in and escaped by the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.http.languages import Language

CHANNELS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "email": "E-mail", "sms": "Text message", "push": "Push message", "whatsapp": "WhatsApp", "wechat": "WeChat",
        "inbox": "Inbox",
    },
    "zh": {
        "email": "电子邮件", "sms": "短信", "push": "推送通知", "whatsapp": "WhatsApp", "wechat": "微信",
        "inbox": "站内信",
    },
}  # fmt: skip
CHANNELS_WITHIN: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {**CHANNELS["en"], "email": "e-mail", "sms": "text message", "push": "push message", "inbox": "inbox"},
    "zh": CHANNELS["zh"],
}
"""The same within a sentence."""

_PUBLIC: Final[Mapping[str, tuple[str, str]]] = {
    # key: (English, Chinese)
    "gone_title": ("This link does not work", "此链接无效"),
    "gone_text": (
        "It may have been cut off on its way, or it is too old. Please open it again from the message.",
        "链接可能在传送中被截断，或者已经过期。请从原来的消息中重新打开。",
    ),
    "busy_title": ("One moment, please", "请稍候"),
    "busy_text": ("We could not store this just now. Please try again in a minute.", "暂时无法保存，请一分钟后再试。"),
    "failed_title": ("Something went wrong", "出错了"),
    "failed_text": ("The mistake is ours. Please try again later.", "这是我们的错误，请稍后再试。"),
    "unsubscribe_title": ("Unsubscribe", "退订"),
    "unsubscribe_topic": (
        "Do you want to hear no more about “{topic}” by {channel}?",
        "您确定不再通过{channel}接收“{topic}”吗？",
    ),
    "unsubscribe_no_topic": (
        "This message is about something you ordered or booked. You can choose what else you hear from us.",
        "这条消息与您的订单或预订有关，无需订阅。您可以选择还想收到哪些消息。",
    ),
    "unsubscribe_all_button": ("Stop everything by {channel}", "停止接收所有{channel}消息"),
    "already_out": ("You are unsubscribed from “{topic}” by {channel}.", "您已退订通过{channel}发送的“{topic}”。"),
    "done_title": ("You are unsubscribed", "退订成功"),
    "done_topic": (
        "You will get no more messages about “{topic}” by {channel}.",
        "您将不再通过{channel}收到“{topic}”的消息。",
    ),
    "done_all": (
        "You will get no more messages by {channel} about: {topics}.",
        "您将不再通过{channel}收到以下内容的消息：{topics}。",
    ),
    "done_all_none": (
        "There is nothing by {channel} that you could be unsubscribed from.",
        "没有可退订的{channel}消息。",
    ),
    "mistake": ("Was it a mistake, or do you want some of it?", "点错了，或只想接收一部分？"),
    "choose": ("Choose what you hear from us", "选择您想接收的内容"),
    "preferences_title": ("What you hear from us", "消息偏好"),
    "preferences_text": ("Tick what you want, and save.", "勾选您想接收的内容，然后保存。"),
    "preferences_none": ("There is nothing here that you could choose.", "目前没有可供选择的内容。"),
    "save": ("Save", "保存"),
    "saved": ("Your choice is saved.", "您的选择已保存。"),
    "always": (
        "Messages about what you order or book always come; they carry no advertising.",
        "订单和预订通知始终会发送，其中不含广告。",
    ),
    "survey_title": ("Your opinion", "您的意见"),
    "survey_nps": (
        "How likely are you to recommend us to a friend or colleague?",
        "您有多大可能将我们推荐给朋友或同事？",
    ),
    "survey_csat": ("How satisfied are you?", "您的满意度如何？"),
    "survey_ces": ("How easy did we make it for you?", "整个过程对您来说有多轻松？"),
    "survey_choice": ("What is your choice?", "您的选择是什么？"),
    "survey_text": ("What would you like to tell us?", "您想告诉我们什么？"),
    "survey_low_nps": ("0 not at all", "0 完全不可能"),
    "survey_high_nps": ("10 very likely", "10 非常可能"),
    "survey_low_csat": ("1 not at all", "1 很不满意"),
    "survey_high_csat": ("5 very", "5 非常满意"),
    "survey_low_ces": ("1 very hard", "1 很困难"),
    "survey_high_ces": ("7 very easy", "7 非常轻松"),
    "survey_comment": ("Would you like to add something? (optional)", "还有什么想说的吗？（选填）"),
    "survey_send": ("Send my answer", "提交"),
    "survey_missing": ("Please choose one of the numbers.", "请选择一个分数。"),
    "survey_unchosen": ("Please choose one of these.", "请选择其中一项。"),
    "survey_empty": ("Please write something first.", "请先填写内容。"),
    "survey_done_title": ("Thank you!", "谢谢！"),
    "survey_done": ("We have your answer, and people read it.", "我们已收到您的回答，会认真阅读。"),
    "view_gone": ("This message cannot be shown any more.", "这条消息已无法显示。"),
}

_OPERATORS: Final[Mapping[str, tuple[str, str]]] = {
    "status": ("Status", "状态"),
    "journeys": ("Live journeys", "运行中的旅程"),
    "journey": ("Journey", "旅程"),
    "version": ("Version", "版本"),
    "state": ("State", "状态"),
    "live": ("live", "运行中"),
    "paused": ("paused", "已暂停"),
    "stopped": ("stopped", "已停止"),
    "killed": ("killed", "已切断"),
    "running": ("Running", "进行中"),
    "parked_count": ("Parked", "已搁置"),
    "customers": ("Customers", "客户"),
    "waiting_inbox": ("Waiting to be decided", "待处理"),
    "oldest": ("oldest since {at}", "最早于 {at}"),
    "nothing_waits": ("nothing waits", "没有等待"),
    "queued": ("Messages queued", "待发送消息"),
    "requests": ("Calls to make", "待发出的请求"),
    "refused_count": ("Refused items", "被拒条目"),
    "clock": ("Journey clock", "旅程时钟"),
    "real_time": ("at real time", "与真实时间一致"),
    "speed": ("up to {speed}× real time; it is {at} really", "最高 {speed} 倍速；真实时间 {at}"),
    "messages": ("Messages", "消息"),
    "channel": ("Channel", "渠道"),
    "count": ("Number", "数量"),
    "coupons": ("Coupons", "优惠券"),
    "offer": ("Offer", "优惠"),
    "tasks": ("Open tasks", "待办任务"),
    "queue": ("Queue", "队列"),
    "latest": ("Last messages", "最近的消息"),
    "decided": ("Decided", "决定时间"),
    "to": ("To", "收件人"),
    "subject": ("Subject", "主题"),
    "preview": ("Preview", "预览"),
    "no_messages": ("No message has been decided yet.", "还没有消息。"),
    "no_journeys": ("Nothing is deployed yet.", "尚未部署任何旅程。"),
    "out_of_order": ("Out of order", "故障"),
    "out_of_order_text": (
        "What should go this way waits, and nothing is lost. It is tried again by itself.",
        "受影响的内容会等待，不会丢失，系统会自动重试。",
    ),
    "what": ("What", "对象"),
    "is_channel": ("channel {name}", "渠道 {name}"),
    "is_lane": ("lane {name}", "任务线 {name}"),
    "next_try": ("Next try", "下次重试"),
    "in_seconds": ("in {seconds} s", "{seconds} 秒后"),
    "soon": ("soon", "即将"),
    "parked": ("Parked customers", "被搁置的客户"),
    "parked_text": (
        "Their decisions failed, so that they take no turn until someone resumes them. Nothing of theirs is lost.",
        "这些客户的决策出错，恢复之前不会继续处理。他们的数据不会丢失。",
    ),
    "customer": ("Customer", "客户"),
    "reason": ("Reason", "原因"),
    "since": ("Since", "自"),
    "waiting": ("Waiting items", "等待条目"),
    "resume": ("Go on with", "恢复命令"),
    "refused": ("Refused items, newest first", "被拒条目（最新在前）"),
    "source": ("Source", "来源"),
    "content": ("Content", "内容"),
    "more": ("and {count} more", "另有 {count} 条"),
    "refresh_on": ("This page refreshes every {seconds} seconds.", "本页每 {seconds} 秒刷新一次。"),
    "refresh_stop": ("Stop refreshing", "停止刷新"),
    "refresh_off": ("This page stands still.", "本页已停止刷新。"),
    "refresh_start": ("Refresh again", "恢复刷新"),
    "skip": ("Skip to the content", "跳到正文"),
    "find": ("Find a customer", "查找客户"),
    "find_button": ("Show", "显示"),
    "back": ("Status", "返回状态页"),
    "message": ("Message", "消息"),
    "from": ("From", "发件人"),
    "reply_to": ("Replies to", "回复至"),
    "topic": ("Topic", "主题类别"),
    "step": ("Step", "步骤"),
    "template": ("Template", "模板"),
    "opened": ("Opened", "打开"),
    "clicked": ("Clicked", "点击"),
    "as_html": ("As it looks", "显示效果"),
    "as_text": ("As plain text", "纯文本"),
    "not_rendered": ("It cannot be rendered: {error}", "无法渲染：{error}"),
    "profile": ("Profile", "资料"),
    "story": ("What happened, and why", "发生了什么，为什么"),
    "story_zone_customer": ("in the local time of {zone}, the customer's", "{zone} 当地时间（客户时区）"),
    "story_zone_phone": (
        "in the local time of {zone}, that of the phone number's country",
        "{zone} 当地时间（手机号所属国家的时区）",
    ),
    "story_zone_country": (
        "in the local time of {zone}, that of the customer's country",
        "{zone} 当地时间（客户所在国家的时区）",
    ),
    "story_zone_phone_several": (
        "in the local time of {zone}, the project's: the phone number's country has several",
        "{zone} 当地时间（项目时区；手机号所属国家有多个时区）",
    ),
    "story_zone_country_several": (
        "in the local time of {zone}, the project's: the customer's country has several",
        "{zone} 当地时间（项目时区；客户所在国家有多个时区）",
    ),
    "story_zone_project": ("in the local time of {zone}, the project's", "{zone} 当地时间（项目时区）"),
    "nothing_happened": ("Nothing has happened yet.", "还没有发生任何事情。"),
    "story_cut": ("Only the last {count} entries are shown.", "仅显示最近 {count} 条。"),
    "no_journal": ("This store keeps no journal.", "此存储不保留日志。"),
    "in_no_journey": ("In no journey", "旅程之外"),
    "at_the_door": ("At the door", "未进入"),
    "because": ("because", "因为"),
    "times": ("{count} times, the last on {at}", "共 {count} 次，最后一次 {at}"),
    "is_parked": ("Parked: {reason}", "已搁置：{reason}"),
    "consents": ("Consents", "授权"),
    "attributes": ("Attributes", "属性"),
    "segments": ("Segments", "分群"),
    "tags": ("Tags", "标签"),
    "unknown_title": ("There is nothing here", "没有内容"),
    "unknown_customer": ("There is no customer “{id}”.", "没有客户“{id}”。"),
    "unknown_message": ("There is no message “{id}” (any more).", "没有消息“{id}”（或已删除）。"),
    "unknown_page": ("There is no such page.", "没有这个页面。"),
    "not_ready": ("Nothing is deployed yet, so there is nothing to show.", "尚未部署，没有可显示的内容。"),
    "wrong_host": (
        "This page answers only under the installation's own address.",
        "此页面只能通过本安装自己的地址访问。",
    ),
}


def words_of(language: Language) -> dict[str, str]:
    """Every text by its key."""
    column = 0 if language == "en" else 1
    return {key: both[column] for key, both in (*_PUBLIC.items(), *_OPERATORS.items())}
