"""Push messages: to browsers, by FCM, by APNs; one channel, one address in the settings.

    push:?vapid=vapid.pem&subject=mailto:ops@example.com
         &fcm=service-account.json
         &apns=AuthKey_ABC.p8&apns_key=ABC&apns_team=TEAM&apns_topic=com.example.harbour

Files lie below the project's folder. Whatever is left out is not sent to: a device of that kind is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import SplitResult

from orchestrator.channels.options import ChannelOptions, HookMaker, Maker
from orchestrator.channels.protocol import Answer, Channel, Outgoing
from orchestrator.channels.providers.adapter import WIDTH, ProviderChannel, Refused, printable
from orchestrator.channels.providers.apns import PRODUCTION, SANDBOX, Apns, apns_wire
from orchestrator.channels.providers.fcm import Fcm, read_service_account
from orchestrator.channels.providers.push_messages import Push, PushService, push_of
from orchestrator.channels.providers.signing_jwt import HAD_WITHIN, elliptic_key, read_secret_file
from orchestrator.channels.providers.web_push import Vapid, WebPush, host_names
from orchestrator.channels.providers.wire import TIMEOUT, ProviderWire
from orchestrator.core.devices import Device, device_of
from orchestrator.errors import UsageError

SHORT_TIMEOUT: Final = 10.0
"""Seconds for one device: a message has up to ten, and its claim lasts a minute."""
ALL_WITHIN: Final = 50.0
"""Seconds for all of them, however late the last of them began."""
DEVICES_AT_ONCE: Final = 4
"""For each message that may be on its way."""
LONGEST_TIMEOUT: Final = 45.0
MOST_WIDTH: Final = 100


class PushChannel(ProviderChannel):
    """Several devices of a message at once, and several messages. `timeout`: seconds for one device."""

    provider = "push"

    def __init__(
        self,
        services: Mapping[str, PushService],
        width: int = WIDTH,
        rate: float | None = None,
        timeout: float = SHORT_TIMEOUT,
    ) -> None:
        super().__init__(ProviderWire(1), width, rate)
        self._services = services
        self._last_begin = max(HAD_WITHIN, ALL_WITHIN - timeout)
        self._hands = ThreadPoolExecutor(width * DEVICES_AT_ONCE, thread_name_prefix="push-device")

    def close(self) -> None:
        """Give back connections and threads."""
        super().close()
        self._hands.shutdown(wait=False, cancel_futures=True)
        for service in self._services.values():
            service.close()

    def check(self) -> Answer:
        """Whether every service knows us, in words."""
        found = {kind: service.check() for kind, service in self._services.items()}
        said = printable("; ".join(f"{kind}: {answer.reason}" for kind, answer in found.items()))
        return next(
            (a._replace(reason=said) for a in found.values() if a.outcome != "accepted"), Answer("accepted", said)
        )

    def _send_one(self, message: Outgoing) -> Answer:
        began_at = monotonic()
        try:
            devices = [device_of(given) for given in (message.provider or {}).get("devices") or ()]
            push = push_of(message)
        except Refused as error:
            return Answer("rejected", printable(str(error)))
        known = [device for device in devices if device is not None]
        for kind in dict.fromkeys(device.kind for device in known):
            if (service := self._services.get(kind)) is not None:
                service.ready()
        if monotonic() - began_at > HAD_WITHIN:  # nothing went: the message is checked again first
            return Answer("retry", "getting ready for push took too long", after=1.0)
        # What was allowed when the message was checked may be withdrawn a second later.
        until = began_at + (self._last_begin if message.klass == "transactional" else HAD_WITHIN)
        if len(known) < 2:
            return joined([self._push(push, device, until) for device in known])
        return joined(list(self._hands.map(lambda device: self._push(push, device, until), known)))

    def _push(self, push: Push, device: Device, until: float) -> Answer:
        if monotonic() > until:
            return Answer("retry", f"{device.reference} was not reached in time", after=1.0)
        service = self._services.get(device.kind)
        if service is None:
            return Answer("rejected", f"nothing is configured for devices of the kind {device.kind}")
        try:
            return service.push(push, device)
        except Refused as error:
            return Answer("rejected", printable(str(error)))


def joined(answers: list[Answer]) -> Answer:
    """One answer for all devices of a message: taken where one of them took it, since nobody is to hear it twice.

    `bounce` comes along where every device is gone. Devices that were refused for now while another took the message
    do not get it.
    """
    if not answers:
        return Answer("rejected", "the customer has none of the devices any more", ("bounce",))
    gone = tuple(reference for answer in answers for reference in answer.gone)
    by_outcome = {outcome: [a for a in answers if a.outcome == outcome] for outcome in ("accepted", "unknown", "retry")}
    if taken := by_outcome["accepted"]:
        return Answer("accepted", reference=taken[0].reference, gone=gone)
    if lost := by_outcome["unknown"]:
        return lost[0]._replace(gone=gone)
    if waiting := by_outcome["retry"]:
        after = [answer.after for answer in waiting if answer.after is not None]
        down = all(answer.down for answer in waiting)
        return Answer("retry", waiting[0].reason, after=max(after, default=None), down=down)
    reasons = "; ".join(dict.fromkeys(answer.reason or "refused" for answer in answers))
    receipts = ("bounce",) if len(gone) == len(answers) else ()
    return Answer("rejected", printable(reasons), receipts, gone=gone)


def _push(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    if parts.netloc or parts.path.strip("/"):
        raise UsageError("the address of push has no host; write push:?vapid=FILE&subject=mailto:...", "bad_setting")
    width = int(options.number("width", WIDTH, 1, MOST_WIDTH))
    hands = width * DEVICES_AT_ONCE
    timeout = options.number("timeout", SHORT_TIMEOUT, 0.1, min(LONGEST_TIMEOUT, TIMEOUT * 2))
    base = (options.text("base") or "").rstrip("/") or None
    services: dict[str, PushService] = {}
    vapid, fcm, apns = options.text("vapid"), options.text("fcm"), options.text("apns")
    if vapid is not None:
        subject = options.text("subject") or ""
        if not subject.startswith(("mailto:", "https://")):
            raise UsageError("vapid= needs subject=mailto:ops@example.com (or an https: address)", "bad_setting")
        key = elliptic_key(read_secret_file(base_dir, vapid, f"vapid={vapid}"), f"vapid={vapid}")
        web_base = None if base is None else f"{base}/web"
        hosts = host_names(options.text("hosts"))
        services["web"] = WebPush(ProviderWire(hands, timeout), Vapid(key, subject), hosts, web_base)
    if fcm is not None:
        fcm_base = None if base is None else f"{base}/fcm"
        services["fcm"] = Fcm(ProviderWire(hands, timeout), read_service_account(base_dir, fcm), fcm_base)
    if apns is not None:
        services["apns"] = _apns(apns, options, base_dir, hands, timeout, base)
    if not services:
        raise UsageError("the address of push names no way to send: vapid=, fcm= or apns=", "bad_setting")
    return PushChannel(services, width, options.rate(), timeout)


def _apns(name: str, options: ChannelOptions, base_dir: Path, width: int, timeout: float, base: str | None) -> Apns:
    key_id, team, topics = options.text("apns_key"), options.text("apns_team"), options.text("apns_topic")
    if key_id is None or team is None or topics is None:
        raise UsageError("apns= needs apns_key= (its id), apns_team= and apns_topic= (a bundle id)", "bad_setting")
    key = elliptic_key(read_secret_file(base_dir, name, f"apns={name}"), f"apns={name}")
    place = SANDBOX if options.yes("apns_sandbox", False) else PRODUCTION
    wire = apns_wire(width, timeout) if base is None else ProviderWire(width, timeout)
    listed = tuple(topic.strip() for topic in topics.split(",") if topic.strip())
    return Apns(wire, key, key_id, team, listed, place if base is None else f"{base}/apns")


MAKERS: Final[Mapping[str, Maker]] = {"push": _push}
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "push": (
        "vapid", "subject", "hosts", "fcm", "apns", "apns_key", "apns_team", "apns_topic", "apns_sandbox", "base",
        "width", "rate", "timeout",
    )
}  # fmt: skip
HOOKS: Final[Mapping[str, HookMaker]] = {}
"""Push services call nobody back: what became of a message is in their answers."""
