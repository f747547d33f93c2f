"""Tencent Cloud SMS (SendSms, 2021-01-11). It takes no key: a call that is repeated sends the text again.

It sends texts that it approved: their code and values stand in the template's front matter (see sms_parts.approved).
"""

from __future__ import annotations

import json
from typing import Any, Final

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel, Refused, by_status, printable
from orchestrator.channels.providers.signing_tencent import TencentAccess, signed_call
from orchestrator.channels.providers.sms_parts import Senders, approved, sms_parts
from orchestrator.channels.providers.wire import ProviderWire, Reply

BASE: Final = "https://sms.tencentcloudapi.com"
SCHEME: Final = "tencentsms"
VERSION: Final = "2021-01-11"
REGION: Final = "ap-guangzhou"
CHINA: Final = "+86"
NO_SUCH_NUMBER: Final = frozenset({"InvalidParameterValue.IncorrectPhoneNumber"})
LATER: Final = {
    "LimitExceeded.PhoneNumberThirtySecondLimit": 30.0,
    "LimitExceeded.PhoneNumberOneHourLimit": 3600.0,
    "LimitExceeded.PhoneNumberDailyLimit": 3600.0,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": 3600.0,
    "LimitExceeded.DeliveryFrequencyLimit": 60.0,
}
"""So many to one number are enough for now; seconds after which to come again."""
ACCOUNT: Final = (
    "AuthFailure", "UnauthorizedOperation", "RequestLimitExceeded", "LimitExceeded", "InvalidParameterValue.SdkAppId",
    "FailedOperation.InsufficientBalanceInSmsPackage", "FailedOperation.FailResolvePacket", "UnsupportedRegion",
    "UnsupportedOperation.", "ResourceInsufficient", "ResourceUnavailable", "InvalidAction", "NoSuchVersion",
)  # fmt: skip
"""What its codes begin with where the next message would meet them, too: the credentials, the credit, the quota."""
REFUSED: Final = frozenset(
    {
        "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone",
        "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone",
        "UnsupportedOperation.UnsupportedRegion",
    }
)
"""Codes that begin like those of the account, and are about the message."""


class TencentSmsChannel(ProviderChannel):
    """Texts through one application. `signature`: the approved name that signs those to mainland China, where the
    template names none; `senders`: who those to other countries are from."""

    provider = "Tencent Cloud SMS"

    def __init__(
        self,
        wire: ProviderWire,
        access: TencentAccess,
        application: str,
        signature: str | None,
        senders: Senders,
        *,
        base: str = BASE,
        region: str = REGION,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._access = access
        self._application = application
        self._signature = signature
        self._senders = senders
        self._base = base
        self._region = region

    def look(self) -> Call:
        """A name that signs, out of its list."""
        asked = json.dumps({"International": 0, "Limit": 1, "Offset": 0}).encode("ascii")
        return signed_call(self._access, self._base, "sms", "DescribeSmsSignList", VERSION, self._region, asked)

    def request(self, message: Outgoing) -> Call:
        """See ProviderChannel."""
        parts = sms_parts(message)
        text = approved(message, SCHEME, self.provider)
        body: dict[str, Any] = {
            "PhoneNumberSet": [parts.to],
            "SmsSdkAppId": self._application,
            "TemplateId": text.template,
            "TemplateParamSet": list(text.params.values()),
            "SessionContext": parts.mark,
        }
        signature = text.signature or self._signature
        if parts.to.startswith(CHINA) and not signature:
            raise Refused("Tencent Cloud SMS wants a signature: signature= in its address, or under `provider:`")
        if signature:
            body["SignName"] = signature
        sender = self._senders.of_country(message.to) or self._senders.default
        if sender is not None and not parts.to.startswith(CHINA):
            body["SenderId"] = sender
        written = json.dumps(body).encode("ascii")
        return signed_call(self._access, self._base, "sms", "SendSms", VERSION, self._region, written)

    def answer(self, reply: Reply, message: Outgoing) -> Answer:
        """See ProviderChannel."""
        found = reply.json()
        said = found.get("Response") if isinstance(found, dict) else None
        said = said if isinstance(said, dict) else {}
        states = said.get("SendStatusSet")
        state: Any = states[0] if isinstance(states, list) and states else said.get("Error")
        code = state.get("Code") if isinstance(state, dict) else None
        if not isinstance(code, str):
            if 200 <= reply.status < 300:
                return Answer("unknown", "Tencent Cloud SMS answered without saying what became of the message")
            return by_status(reply, self.provider)
        if code == "Ok":
            reference = state.get("SerialNo")
            return Answer("accepted", reference=reference if isinstance(reference, str) else None)
        reason = printable(f"Tencent Cloud SMS answered {code}: {state.get('Message') or 'it gave no reason'}")
        if code in LATER:
            return Answer("retry", reason, after=LATER[code])
        if code.startswith("InternalError"):
            return Answer("unknown", reason)
        if code.startswith(ACCOUNT) and code not in REFUSED:
            return Answer("retry", reason, after=reply.after, down=True)
        return Answer("rejected", reason, ("bounce",) if code in NO_SUCH_NUMBER else ())
