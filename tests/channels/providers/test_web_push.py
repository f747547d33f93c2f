"""Web push against RFC 8291's own example, an independent decryption, and a push service on the loopback interface."""

from __future__ import annotations

import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.protocol import Outgoing
from orchestrator.channels.providers.adapter import Refused
from orchestrator.channels.providers.push_messages import push_of
from orchestrator.channels.providers.web_push import MOST_PLAIN, RENEWED_AFTER, Vapid, WebPush, encrypted
from orchestrator.channels.providers.wire import ProviderWire
from orchestrator.core.devices import Device, device_of

NOW = 1_772_445_600.0
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA"


def raw(text: str) -> bytes:
    """Base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def key_of(private: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(private), "big"), ec.SECP256R1())


class Browser:
    """A subscription, and what a browser does with a message: RFC 8188 and 8291 read from the other end."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = bytes(range(16))
        self.public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def device(self, endpoint: str = ENDPOINT) -> Device:
        keys = {"p256dh": written(self.public), "auth": written(self.auth)}
        found = device_of({"endpoint": endpoint, "expirationTime": None, "keys": keys})
        assert found is not None
        return found

    def opened(self, body: bytes) -> bytes:
        salt, (size, length) = body[:16], struct.unpack("!LB", body[16:21])
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert size == 4096 and len(sealed) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        material = HKDF(hashes.SHA256(), 32, self.auth, b"WebPush: info\0" + self.public + sender).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(material)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(material)
        padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert padded[-1] == 2
        return padded[:-1]


def test_the_example_of_rfc_8291() -> None:
    body = encrypted(
        b"When I grow up, I want to be a watermelon",
        raw("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        raw("BTBZMqHH6r4Tts7J_aSIgg"),
        raw("DGv6ra1nlYgDCS1FRnbzlw"),
        key_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    )
    assert written(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.parametrize("plain", [b"", b"x", "您的早餐 👋".encode(), b"y" * MOST_PLAIN])
def test_a_browser_opens_what_was_sealed_for_it(plain: bytes) -> None:
    browser = Browser()
    body = encrypted(plain, browser.public, browser.auth, bytes(16), ec.generate_private_key(ec.SECP256R1()))
    assert browser.opened(body) == plain
    assert len(body) <= 4096


@pytest.mark.parametrize(
    ("plain", "public", "auth"),
    [(b"x" * (MOST_PLAIN + 1), None, bytes(16)), (b"x", b"\x04" + bytes(64), bytes(16)), (b"x", None, bytes(15))],
)
def test_what_cannot_be_sealed_is_said(plain: bytes, public: bytes | None, auth: bytes) -> None:
    with pytest.raises(ValueError):
        encrypted(plain, public or Browser().public, auth, bytes(16), ec.generate_private_key(ec.SECP256R1()))


def outgoing(**fields: Any) -> Outgoing:
    return Outgoing("e1.push_1.1", "push", "web:0", "Your table", "It is ready", provider=fields)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def web_push(server: HTTPServer, clock: Clock | None = None) -> tuple[WebPush, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    vapid = Vapid(key, "mailto:ops@example.com", clock or Clock())
    return WebPush(ProviderWire(2, 5), vapid, base=server.url_for("").rstrip("/")), key


def test_the_whole_request(httpserver: HTTPServer) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return Response(status=201, headers={"Location": "https://updates.push.services.mozilla.com/m/1"})

    httpserver.expect_request("/wpush/v2/gAAAAA", method="POST").respond_with_handler(take)
    browser = Browser()
    service, key = web_push(httpserver)
    push = push_of(outgoing(url="https://example.com/t?x=1", ttl="2h", urgency="high", data={"table": "7"}))
    answer = service.push(push, browser.device())
    assert answer.outcome == "accepted"
    assert answer.reference == "https://updates.push.services.mozilla.com/m/1"
    [request] = seen
    headers = request.headers
    assert headers["TTL"] == "7200" and headers["Urgency"] == "high" and headers["Content-Encoding"] == "aes128gcm"
    assert len(headers["Topic"]) == 32
    scheme, _, rest = headers["Authorization"].partition(" ")
    token, public = (part.partition("=")[2] for part in rest.split(", "))
    assert scheme == "vapid"
    assert raw(public) == key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    claims = jwt.decode(
        token, key.public_key(), algorithms=["ES256"], audience="https://updates.push.services.mozilla.com",
        options={"verify_exp": False},
    )  # fmt: skip
    assert claims["sub"] == "mailto:ops@example.com"
    assert 0 < claims["exp"] - NOW <= 24 * 3600
    assert json.loads(browser.opened(request.data)) == {
        "web_push": 8030,
        "notification": {
            "title": "Your table", "body": "It is ready", "tag": headers["Topic"],
            "navigate": "https://example.com/t?x=1", "data": {"table": "7", "message": "e1.push_1.1"},
        },
    }  # fmt: skip
    service.close()


def test_a_token_is_kept_for_its_audience_and_renewed() -> None:
    clock = Clock()
    vapid = Vapid(ec.generate_private_key(ec.SECP256R1()), "mailto:ops@example.com", clock)
    first = vapid.authorization("https://a.example")
    assert vapid.authorization("https://a.example") == first != vapid.authorization("https://b.example")
    clock.now += RENEWED_AFTER
    assert vapid.authorization("https://a.example") != first


@pytest.mark.parametrize(
    ("status", "outcome", "gone", "down"),
    [
        (201, "accepted", False, False),
        (404, "rejected", True, False),
        (410, "rejected", True, False),
        (413, "rejected", False, False),
        (429, "retry", False, False),
        (503, "retry", False, False),
        (500, "unknown", False, False),
        (403, "rejected", False, False),
    ],
)
def test_what_the_answers_mean(httpserver: HTTPServer, status: int, outcome: str, gone: bool, down: bool) -> None:
    httpserver.expect_request("/wpush/v2/gAAAAA").respond_with_data("said", status, {"Retry-After": "7"})
    service, _ = web_push(httpserver)
    device = Browser().device()
    answer = service.push(push_of(outgoing()), device)
    assert (answer.outcome, answer.gone == (device.reference,), answer.down) == (outcome, gone, down)
    if outcome == "retry":
        assert answer.after == 7


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://10.0.0.1/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://2130706433/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evilpush.apple.com.evil.example/x",
        "https://notpush.apple.comx/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com\\@evil.example/x",
    ],
)
def test_endpoints_lead_nowhere_else(endpoint: str) -> None:
    service = WebPush(ProviderWire(1, 1), Vapid(ec.generate_private_key(ec.SECP256R1()), "mailto:a@b.example"))
    with pytest.raises(Refused):
        service.push(push_of(outgoing()), Browser().device(endpoint))


@pytest.mark.parametrize("host", ["fcm.googleapis.com", "db5p.notify.windows.com", "web.push.apple.com", "p.example"])
def test_known_services_and_those_of_the_operator_are_allowed(httpserver: HTTPServer, host: str) -> None:
    httpserver.expect_request("/x").respond_with_data("", 201)
    vapid = Vapid(ec.generate_private_key(ec.SECP256R1()), "mailto:a@b.example")
    service = WebPush(ProviderWire(1, 5), vapid, ("p.example",), httpserver.url_for("").rstrip("/"))
    assert service.push(push_of(outgoing()), Browser().device(f"https://{host}/x")).outcome == "accepted"
