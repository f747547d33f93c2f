"""WeChat: template messages of an official account, subscription messages of an official account or a mini-program, and
texts to whoever wrote to the account within the last two days.

developers.weixin.qq.com: "模板消息" (message/template/send), "订阅通知" (message/subscribe/bizsend), 小程序 "订阅消息"
(message/subscribe/send), "客服消息" (message/custom/send), "获取稳定版接口调用凭据" (stable_token), "全局返回码".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import Call, Refused
from orchestrator.channels.providers.push_messages import mapping_of, short_hash
from orchestrator.channels.providers.weixin import WeixinChannel
from orchestrator.core.addresses import stored_address

BASE: Final = "https://api.weixin.qq.com"
Kind: TypeAlias = Literal["template", "subscribe", "mini"]
KINDS: Final[Mapping[str, Kind]] = {"template": "template", "subscribe": "subscribe", "mini": "mini"}
_PATHS: Final[Mapping[Kind, str]] = {
    "template": "/cgi-bin/message/template/send",
    "subscribe": "/cgi-bin/message/subscribe/bizsend",
    "mini": "/cgi-bin/message/subscribe/send",
}
_TEXT: Final = "/cgi-bin/message/custom/send"
LONGEST_TEXT: Final = 2_048
_LANGUAGES: Final = {"zh-Hans": "zh_CN", "zh-CN": "zh_CN", "zh": "zh_CN", "zh-Hant": "zh_TW", "zh-TW": "zh_TW",
                     "zh-HK": "zh_HK"}  # fmt: skip


class WechatChannel(WeixinChannel):
    """One app id. `kind` says which messages it may send.

    A message is sent once for one person and id within ten minutes (client_msg_id), of template messages only; that is
    too short to count as a key.
    """

    provider = "WeChat"

    def __init__(self, app_id: str, secret: str, kind: Kind = "template", **account: Any) -> None:
        super().__init__(**account)
        self._app_id = app_id
        self._secret = secret
        self._kind: Kind = kind

    def token_call(self) -> Call:
        """The stable token: one that other processes get, too, without ending ours."""
        asked = {"grant_type": "client_credential", "appid": self._app_id, "secret": self._secret}
        url = f"{self._base}/cgi-bin/stable_token"
        return Call("POST", url, {"Content-Type": "application/json"}, json.dumps(asked).encode("ascii"))

    def message_call(self, message: Outgoing) -> tuple[str, dict[str, Any]]:
        """A template where the fields name one, else a text."""
        if stored_address("wechat", message.to, None) is None:
            raise Refused("the recipient is no openid")
        fields = message.provider or {}
        body: dict[str, Any] = {"touser": message.to}
        if not fields.get("template"):
            if not message.text.strip():
                raise Refused("the message is empty")
            if len(message.text.encode("utf-8", "replace")) > LONGEST_TEXT:
                raise Refused(f"the text has more than {LONGEST_TEXT:,} bytes")
            return _TEXT, {**body, "msgtype": "text", "text": {"content": message.text}}
        data = mapping_of(fields.get("data"))
        body["template_id"] = str(fields["template"]).strip()
        body["data"] = {name: {"value": str(value)} for name, value in data.items()}
        if self._kind == "mini":
            if fields.get("page"):
                body["page"] = fields["page"]
            body["lang"] = _LANGUAGES.get(message.locale or "", "zh_CN" if not message.locale else "en_US")
            return _PATHS["mini"], body
        program = mapping_of(fields.get("miniprogram"))
        if program.get("appid"):
            body["miniprogram"] = {"appid": program["appid"], "pagepath": program.get("page", "")}
        link = fields.get("url") if self._kind == "template" else fields.get("page") or fields.get("url")
        if link:
            body["url" if self._kind == "template" else "page"] = link
        if self._kind == "template":
            body["client_msg_id"] = short_hash(message.id)
        return _PATHS[self._kind], body

    def by_number(self, number: int, words: str, said: Mapping[str, Any]) -> Answer:
        """43101: they refused, or never agreed; 43004, 43019: they do not follow the account, or blocked it; 40003: no
        openid of this account; 40037, 47003: the template or its data."""
        return Answer("rejected", words)
