"""WhatsApp Business Cloud API: approved templates, and free text to whoever wrote within the last day.

developers.facebook.com/docs/whatsapp/cloud-api: "Messages" and "Error codes". Our id travels as
`biz_opaque_callback_data`, which each status brings back. It is no key: a message sent twice comes twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, Refused, by_status, printable
from orchestrator.channels.providers.wire import ProviderWire, Reply
from orchestrator.core.addresses import phone_number

BASE: Final = "https://graph.facebook.com"
VERSION: Final = "v23.0"
LONGEST_TEXT: Final = 4_096
_BUTTONS: Final = {
    "url": ("url", "text", "text"),
    "payload": ("quick_reply", "payload", "payload"),
    "code": ("copy_code", "coupon_code", "coupon_code"),
}
"""What each kind of button is called: its sub type, its parameter's type, and where its value stands."""
_OURS: Final = frozenset({0, 3, 10, 190, 368, *range(200, 300), 131005, 131031, 131042, 131045, 131057, 133010})
"""Our token, rights, account or payment: nobody's message will fare better."""
_TOO_MANY: Final = frozenset({4, 80007, 130429, 131048})
_LATER: Final = frozenset({1, 2, 131000, 131016, 131056})
"""For now, and about this message or this moment alone; 131056: too many to this one person."""
_NO: Final = frozenset({100, 131008, 131009, 131021, 131026, 131047, 131049, 131050, 131051})
"""This message, for good: 131026 cannot be delivered to, 131047 more than a day since they wrote, 131049 enough
marketing for now, 131050 they asked for no more of it."""


class WhatsappChannel(ProviderChannel):
    """One number of a business account."""

    provider = "WhatsApp"

    def __init__(
        self,
        wire: ProviderWire,
        token: str,
        number_id: str,
        base: str = BASE,
        version: str = VERSION,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._url = f"{base}/{version}/{quote(number_id, safe='')}/messages"

    def look(self) -> Call:
        """The phone number, as Meta knows it."""
        return Call("GET", f"{self._url.removesuffix('/messages')}?fields=id", self._headers)

    def request(self, message: Outgoing) -> Call:
        """A template where the fields name one, else the text."""
        address = phone_number(message.to, None)
        if address is None:
            raise Refused("the recipient is no phone number in the international form")
        fields = message.provider or {}
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": address.text.removeprefix("+"),
            "biz_opaque_callback_data": mark_of(message.id),
        }
        if fields.get("template"):
            body |= {"type": "template", "template": template_of(fields)}
        else:
            if not message.text.strip():
                raise Refused("the message is empty")
            if len(message.text) > LONGEST_TEXT:
                raise Refused(f"the text has {len(message.text):,} characters; WhatsApp takes {LONGEST_TEXT:,}")
            body |= {"type": "text", "text": {"body": message.text, "preview_url": "://" in message.text}}
        return Call("POST", self._url, self._headers, json.dumps(body).encode("ascii"))

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """By Meta's own code."""
        said = reply.json()
        said = said if isinstance(said, Mapping) else {}
        if 200 <= reply.status < 300:
            sent = said.get("messages")
            first = sent[0] if isinstance(sent, list) and sent and isinstance(sent[0], Mapping) else {}
            id = first.get("id")
            return Answer("accepted", reference=id if isinstance(id, str) else None)
        error = said.get("error")
        error = error if isinstance(error, Mapping) else {}
        code = error.get("code")
        words = printable(f"WhatsApp answered {reply.status}, code {code}: {_words(error)}")
        if not isinstance(code, int) or isinstance(code, bool):
            return by_status(reply, self.provider, _words(error))
        if code in _OURS or code in _TOO_MANY:
            return Answer("retry", words, after=reply.after, down=True)
        if code in _LATER:
            return Answer("retry", words, after=reply.after)
        if code in _NO or 132_000 <= code < 133_000:
            return Answer("rejected", words)
        return by_status(reply, self.provider, f"code {code}: {_words(error)}")


def template_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The API's template, with its header, its parameters (a list, or by name) and its buttons. Raises Refused."""
    language = str(fields.get("language") or "").strip()
    if not language:
        raise Refused("the template has no language")
    components: list[dict[str, Any]] = []
    for kind, value in _mapping(fields.get("header")).items():
        what: dict[str, Any] = {"text": value} if kind == "text" else {kind: {"link": value}}
        components.append({"type": "header", "parameters": [{"type": kind, **what}]})
    given = fields.get("parameters")
    if isinstance(given, list):
        components.append({"type": "body", "parameters": [{"type": "text", "text": text} for text in given]})
    elif isinstance(given, Mapping):
        named = [{"type": "text", "parameter_name": name, "text": text} for name, text in given.items()]
        components.append({"type": "body", "parameters": named})
    for index, button in enumerate(fields.get("buttons") or ()):
        for kind, value in _mapping(button).items():
            sub_type, type_, place = _BUTTONS[kind]
            parameter = {"type": type_, place: value}
            components.append({"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]})
    for component in components:
        for parameter in component["parameters"]:
            if not all(str(value).strip() for value in parameter.values()):
                raise Refused(f"a parameter of the template's {component['type']} is empty, which WhatsApp refuses")
    found: dict[str, Any] = {"name": str(fields["template"]).strip(), "language": {"code": language}}
    return found | ({"components": components} if components else {})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(error: Mapping[str, Any]) -> str:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, Mapping) else None
    return str(details or error.get("message") or "no reason")
