"""The words of the proof report, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.insights.reasons import WITHHELD

LANGUAGES: Final = ("en", "zh")

_EN: Final = {
    "title": "Proof of contacts",
    "clean": "No violation was found.",
    "broken": "{n} violations were found.",
    "one_broken": "1 violation was found.",
    "judged": "Violations are worked out anew from hand-overs, profiles, the suppression list and the consent ledger, "
    "by the rules that are live now; what the engine said of its own decisions proves nothing.",
    "packs": "Compliance packs",
    "left_out": "without the rules {rules}",
    "codes": "with the industry's codes of practice",
    "unknown_strictest": "kept where the country is not known, too",
    "unknown_none": "not kept where the country is not known",
    "none": "none",
    "checks": "Checks",
    "check": "check",
    "violations": "violations",
    "contacts": "Contacts",
    "people": "people contacted",
    "topic": "topic",
    "channel": "channel",
    "class": "class",
    "basis": "basis",
    "count": "number",
    "withheld": "Not sent, by reason",
    "reason": "reason",
    "opt_outs": "Opt-outs",
    "latency": "from the opt-out to the last message of its topic: half within {p50}, the longest {max}",
    "told_late": "told to the engine later than they were made (imports), and counted from then",
    "delivery": "Bounces and complaints",
    "sent": "handed over",
    "bounced": "bounced",
    "complained": "complained",
    "found": "Violations",
    "customer": "customer",
    "message": "message",
    "handed_at": "handed over (UTC)",
    "detail": "what shows it",
    "more": "{n} more are not listed",
    "quiet_hours": "handed over in quiet hours",
    "caps": "beyond a frequency cap",
    "after_opt_out": "after an opt-out",
    "without_consent": "promotional without an opt-in",
    "suppressed": "to an address on the suppression list",
    "opt_in": "opt-in",
    "implied": "consent with an end",
    "promotional": "promotional",
    "service": "service",
    "transactional": "transactional",
}
_ZH: Final = {
    "title": "触达合规证明",
    "clean": "未发现违规。",
    "broken": "发现 {n} 项违规。",
    "one_broken": "发现 1 项违规。",
    "judged": "违规数根据交付记录、客户资料、抑制名单与同意记录，按现行规则重新核算，不采信引擎对自身决定的说明。",
    "packs": "合规规则包",
    "left_out": "不含规则 {rules}",
    "codes": "含行业自律规范",
    "unknown_strictest": "国家不明时同样遵守",
    "unknown_none": "国家不明时不遵守",
    "none": "无",
    "checks": "核对项目",
    "check": "项目",
    "violations": "违规数",
    "contacts": "触达",
    "people": "触达人数",
    "topic": "主题",
    "channel": "渠道",
    "class": "类别",
    "basis": "依据",
    "count": "数量",
    "withheld": "未发送（按原因）",
    "reason": "原因",
    "opt_outs": "退订",
    "latency": "从退订到该主题最后一条消息：中位数 {p50}，最长 {max}",
    "told_late": "告知引擎晚于本人作出（导入），自告知时起算",
    "delivery": "退信与投诉",
    "sent": "已交付",
    "bounced": "退信",
    "complained": "投诉",
    "found": "违规明细",
    "customer": "客户",
    "message": "消息",
    "handed_at": "交付时间（UTC）",
    "detail": "证据",
    "more": "另有 {n} 条未列出",
    "quiet_hours": "在免打扰时段交付",
    "caps": "超出频次上限",
    "after_opt_out": "退订之后发送",
    "without_consent": "未经同意的营销消息",
    "suppressed": "发往抑制名单中的地址",
    "opt_in": "已同意",
    "implied": "有期限的同意",
    "promotional": "营销",
    "service": "服务",
    "transactional": "交易",
}
_WITHHELD_ZH: Final = {
    "holdout": "客户属于对照组",
    "no_address": "没有联系地址",
    "invalid_address": "地址无法使用",
    "bounced": "此前发往该地址的消息被永久退回",
    "complained": "收件人曾投诉",
    "suppressed": "地址在抑制名单中",
    "opted_out": "客户已退订",
    "no_consent": "客户未同意该主题的消息",
    "expired": "已过有效期",
    "quiet_hours": "处于免打扰时段",
    "capped": "已达频次上限",
    "send_limit": "已达旅程发送上限",
    "killed": "紧急停止开关已打开",
    "paused": "旅程已暂停",
    "late": "引擎延迟过久",
    "render_error": "模板无法渲染",
    "provider_rejected": "服务商拒绝",
    "unknown_outcome": "未收到服务商的答复",
    "exited": "客户在交付前已离开旅程",
    "stopped": "旅程已停止",
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {"en": _EN, "zh": _ZH}


def reason_words(code: str, language: str) -> str:
    """Why something was not sent; a code without words stands for itself."""
    return (_WITHHELD_ZH if language == "zh" else WITHHELD).get(code, code)


def seconds_words(seconds: float) -> str:
    """A length of time, as short as it is exact enough: 0 s, 1.4 s, 12 min, 3 h."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
