"""WeCom (企业微信): messages of an agent to members of the company.

developer.work.weixin.qq.com: "发送应用消息" (message/send), "获取access_token" (gettoken), "全局错误码".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import Call, Refused, printable
from orchestrator.channels.providers.weixin import WeixinChannel
from orchestrator.core.addresses import stored_address

BASE: Final = "https://qyapi.weixin.qq.com"
LONGEST_TEXT: Final = 2_048
LONGEST_TITLE: Final = 128
LONGEST_DESCRIPTION: Final = 512


class WecomChannel(WeixinChannel):
    """One agent of a company."""

    provider = "WeCom"

    def __init__(self, corp_id: str, secret: str, agent: int, **account: Any) -> None:
        super().__init__(**account)
        self._corp_id = corp_id
        self._secret = secret
        self._agent = agent

    def token_call(self) -> Call:
        """The agent's token, the same for all who ask until it ends."""
        query = urlencode({"corpid": self._corp_id, "corpsecret": self._secret})
        return Call("GET", f"{self._base}/cgi-bin/gettoken?{query}", {})

    def message_call(self, message: Outgoing) -> tuple[str, dict[str, Any]]:
        """A card where there are a title and a link, else a text."""
        if stored_address("wechat", message.to, None) is None or message.to.lower() == "@all":
            raise Refused("the recipient is no single member of the company")
        fields = message.provider or {}
        title, link = (message.subject or "").strip(), str(fields.get("url") or "").strip()
        if not message.text.strip():
            raise Refused("the message is empty")
        body: dict[str, Any] = {"touser": message.to, "agentid": self._agent}
        if title and link:
            card = {"title": title[:LONGEST_TITLE], "description": message.text, "url": link}
            if len(message.text.encode("utf-8", "replace")) > LONGEST_DESCRIPTION:
                raise Refused(f"the text of a card has more than {LONGEST_DESCRIPTION} bytes")
            return "/cgi-bin/message/send", {**body, "msgtype": "textcard", "textcard": card}
        text = "\n".join(part for part in (title, message.text, link) if part)
        if len(text.encode("utf-8", "replace")) > LONGEST_TEXT:
            raise Refused(f"the text has more than {LONGEST_TEXT:,} bytes")
        return "/cgi-bin/message/send", {**body, "msgtype": "text", "text": {"content": text}}

    def taken(self, said: Mapping[str, Any]) -> Answer:
        """Taken, unless the one recipient is none: that stands beside a number that says that all is well."""
        unknown = said.get("invaliduser") or said.get("unlicenseduser")
        if unknown:
            return Answer("rejected", printable(f"WeCom does not know the member, or may not write to them: {unknown}"))
        return super().taken(said)
