"""Alibaba Cloud SMS (SendSms of Dysmsapi, 2017-05-25). It takes no key: a call that is repeated sends the text again.

It sends texts that it approved: their code and values stand in the template's front matter (see sms_parts.approved).
"""

from __future__ import annotations

import json
from typing import Final

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, Refused, by_status, printable
from orchestrator.channels.providers.signing_aliyun import AliyunAccess, signed_call
from orchestrator.channels.providers.sms_parts import approved, sms_parts
from orchestrator.channels.providers.wire import ProviderWire, Reply

BASE: Final = "https://dysmsapi.aliyuncs.com"
SCHEME: Final = "aliyunsms"
VERSION: Final = "2017-05-25"
CHINA: Final = "+86"
LONGEST_OUT_ID: Final = 256
"""Characters of OutId; a mark is shorter."""
NO_SUCH_NUMBER: Final = frozenset({"isv.MOBILE_NUMBER_ILLEGAL"})
LATER: Final = {
    "isv.BUSINESS_LIMIT_CONTROL": 60.0,
    "isv.MOBILE_COUNT_OVER_LIMIT": 60.0,
}
"""So many to one number are enough for now; seconds after which to come again."""
LOST: Final = ("isp.SYSTEM_ERROR", "InternalError", "ServiceUnavailable")
"""It failed within, and may have gone."""
ACCOUNT: Final = (
    "isv.OUT_OF_SERVICE", "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE", "isv.ACCOUNT_NOT_EXISTS",
    "isv.ACCOUNT_ABNORMAL", "isv.AMOUNT_NOT_ENOUGH", "isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL",
    "isp.RAM_PERMISSION_DENY", "SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidTimeStamp", "SignatureNonceUsed",
    "Forbidden", "Throttling", "InvalidVersion", "MissingAccessKeyId", "IncompleteSignature", "InvalidSecurityToken",
)  # fmt: skip
"""What its codes begin with where the next message would meet them, too: the credentials, the credit, the quota."""


class AliyunSmsChannel(ProviderChannel):
    """Texts through one account. `signature`: the approved name that signs them, where the template names none."""

    provider = "Alibaba Cloud SMS"

    def __init__(
        self,
        wire: ProviderWire,
        access: AliyunAccess,
        signature: str | None,
        *,
        base: str = BASE,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._access = access
        self._signature = signature
        self._base = base

    def look(self) -> Call:
        """A name that signs, out of its list."""
        return signed_call(self._access, self._base, "QuerySmsSignList", VERSION, {"PageIndex": "1", "PageSize": "1"})

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = sms_parts(message)
        text = approved(message, SCHEME, self.provider)
        signature = text.signature or self._signature
        if not signature:
            raise Refused("Alibaba Cloud SMS wants a signature: signature= in its address, or under `provider:`")
        params = {
            "PhoneNumbers": parts.to.removeprefix(CHINA) if parts.to.startswith(CHINA) else parts.digits,
            "SignName": signature,
            "TemplateCode": text.template,
            "OutId": parts.mark[:LONGEST_OUT_ID],
        }
        if text.params:
            params["TemplateParam"] = json.dumps(dict(text.params), ensure_ascii=False)
        return signed_call(self._access, self._base, "SendSms", VERSION, params)

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        said = reply.json()
        code = said.get("Code") if isinstance(said, dict) else None
        if not isinstance(code, str):
            if 200 <= reply.status < 300:
                return Answer("unknown", "Alibaba Cloud SMS answered without saying what became of the message")
            return by_status(reply, self.provider)
        if code == "OK":
            reference = said.get("BizId")
            return Answer("accepted", reference=reference if isinstance(reference, str) else None)
        reason = printable(f"Alibaba Cloud SMS answered {code}: {said.get('Message') or 'it gave no reason'}")
        if code in LATER:
            return Answer("retry", reason, after=LATER[code])
        if code.startswith(ACCOUNT):
            return Answer("retry", reason, after=reply.after, down=True)
        if code.startswith(LOST):
            return Answer("unknown", reason)
        return Answer("rejected", reason, ("bounce",) if code in NO_SUCH_NUMBER else ())
