"""Push by FCM and APNs, and the channel over all devices of a customer, against servers on the loopback interface."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.providers import apns as apns_module
from orchestrator.channels.providers.apns import RENEWED_AFTER, Apns
from orchestrator.channels.providers.fcm import GRANT, SCOPE, Fcm, ServiceAccount, message_of, read_service_account
from orchestrator.channels.providers.push_apis import PushChannel, joined
from orchestrator.channels.providers.push_messages import push_of
from orchestrator.channels.providers.signing_jwt import KeptToken
from orchestrator.channels.providers.wire import NotSent, ProviderWire
from orchestrator.core.devices import Device
from orchestrator.errors import UsageError
from tests.channels.contract import Adapter, ChannelContract
from tests.channels.providers.test_web_push import Browser, Clock

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
PHONE = Device("fcm", "dQ3:APA91b-token", app="com.example.harbour")
IPHONE = Device("apns", "740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad", app="com.example.harbour")


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def outgoing(devices: Sequence[Device] = (PHONE,), id: str = "e1.push_1.1", **fields: Any) -> Outgoing:
    given = {**fields, "devices": [device.as_data() for device in devices]}
    return Outgoing(id, "push", "fcm:0", "Your table", "It is ready", provider=given)


class Google:
    """FCM and its token endpoint. `answers` are given in turn, the last one for ever."""

    def __init__(self, server: HTTPServer, prefix: str = "") -> None:
        self.sent: list[Request] = []
        self.grants: list[dict[str, list[str]]] = []
        self.answers: list[tuple[int, Any]] = [(200, {"name": "projects/p/messages/1"})]
        self.lasts: Any = 3600
        server.expect_request(f"{prefix}/oauth/token", method="POST").respond_with_handler(self._token)
        server.expect_request(f"{prefix}/v1/projects/harbour-1/messages:send").respond_with_handler(self._message)

    def _token(self, request: Request) -> Response:
        self.grants.append(parse_qs(request.get_data(as_text=True)))
        token = {"access_token": f"ya29.{len(self.grants)}", "expires_in": self.lasts}
        return Response(json.dumps(token), content_type="application/json")

    def _message(self, request: Request) -> Response:
        request.get_data()
        self.sent.append(request)
        status, said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(json.dumps(said), status, content_type="application/json")


ACCOUNT = ServiceAccount("harbour-1", "sender@harbour-1.iam.gserviceaccount.com", RSA, "https://oauth2.example/token")


def fcm(server: HTTPServer, clock: Clock | None = None) -> Fcm:
    return Fcm(ProviderWire(2, 5), ACCOUNT, server.url_for("").rstrip("/"), clock or Clock())


def refused(status: int, code: str, google: str = "NOT_FOUND", words: str = "no") -> tuple[int, Any]:
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details = [{"@type": kind, "errorCode": code}]
    return status, {"error": {"code": status, "message": words, "status": google, "details": details}}


class TestFcm:
    def test_the_whole_request(self, httpserver: HTTPServer) -> None:
        google = Google(httpserver)
        push = push_of(
            outgoing(url="https://example.com/t", image="https://example.com/a.png", ttl="12h", collapse="cart",
                     urgency="high", data={"cart": "c1"})
        )  # fmt: skip
        answer = fcm(httpserver).push(push, PHONE)
        assert answer == Answer("accepted", reference="projects/p/messages/1")
        [request] = google.sent
        assert request.headers["Authorization"] == "Bearer ya29.1"
        message = json.loads(request.data)["message"]
        assert message["token"] == PHONE.token
        assert message["notification"] == {
            "title": "Your table", "body": "It is ready", "image": "https://example.com/a.png",
        }  # fmt: skip
        assert message["data"] == {"cart": "c1", "message": "e1.push_1.1", "url": "https://example.com/t"}
        assert message["android"] == {
            "ttl": "43200s", "priority": "HIGH", "collapse_key": "cart", "notification": {"tag": push.tag},
        }  # fmt: skip
        assert message["apns"]["headers"]["apns-collapse-id"] == "cart"
        assert message["webpush"]["fcm_options"] == {"link": "https://example.com/t"}

    def test_the_account_says_who_it_is(self, httpserver: HTTPServer) -> None:
        google = Google(httpserver)
        fcm(httpserver).push(push_of(outgoing()), PHONE)
        [grant] = google.grants
        assert grant["grant_type"] == [GRANT]
        claims = jwt.decode(
            grant["assertion"][0], RSA.public_key(), algorithms=["RS256"], audience="https://oauth2.example/token",
            options={"verify_exp": False, "verify_iat": False},
        )  # fmt: skip
        assert (claims["iss"], claims["scope"]) == (ACCOUNT.email, SCOPE)
        assert claims["exp"] - claims["iat"] == 3600

    def test_the_token_is_kept_until_a_minute_before_its_end(self, httpserver: HTTPServer) -> None:
        google, clock = Google(httpserver), Clock()
        service = fcm(httpserver, clock)
        for moved, grants in ((0, 1), (3539, 1), (1, 2), (0, 2)):
            clock.now += moved
            assert service.push(push_of(outgoing()), PHONE).outcome == "accepted"
            assert len(google.grants) == grants

    def test_a_token_that_is_refused_is_bought_anew(self, httpserver: HTTPServer) -> None:
        google = Google(httpserver)
        google.answers = [refused(401, "UNAUTHENTICATED", "UNAUTHENTICATED"), (200, {"name": "x"})]
        service = fcm(httpserver)
        first = service.push(push_of(outgoing()), PHONE)
        assert (first.outcome, first.down) == ("retry", True)
        assert service.push(push_of(outgoing()), PHONE).outcome == "accepted"
        assert [request.headers["Authorization"] for request in google.sent] == ["Bearer ya29.1", "Bearer ya29.2"]

    @pytest.mark.parametrize(
        ("said", "outcome", "gone", "down"),
        [
            (refused(404, "UNREGISTERED"), "rejected", True, False),
            (refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), "rejected", False, False),
            (refused(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED"), "rejected", False, False),
            (refused(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"), "retry", False, True),
            (refused(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"), "retry", False, True),
            (refused(503, "UNAVAILABLE", "UNAVAILABLE"), "retry", False, True),
            (refused(500, "INTERNAL", "INTERNAL"), "unknown", False, False),
            ((404, {"error": {"status": "NOT_FOUND", "message": "no such project"}}), "retry", False, True),
            ((400, "no object"), "rejected", False, False),
            (
                (400, {"error": {"details": [1, {"errorCode": 2}], "status": [], "message": {}}}),
                "rejected",
                False,
                False,
            ),
        ],
    )
    def test_errors(self, httpserver: HTTPServer, said: Any, outcome: str, gone: bool, down: bool) -> None:
        Google(httpserver).answers = [said]
        answer = fcm(httpserver).push(push_of(outgoing()), PHONE)
        assert (answer.outcome, answer.gone == (PHONE.reference,), answer.down) == (outcome, gone, down)
        assert answer.reason and answer.reason.isprintable()

    def test_no_token_is_no_fault_of_the_message(self, httpserver: HTTPServer) -> None:
        httpserver.expect_request("/oauth/token").respond_with_json({"error": "invalid_grant"}, 400)
        answer = fcm(httpserver).push(push_of(outgoing()), PHONE)
        assert (answer.outcome, answer.down) == ("retry", True)
        assert "invalid_grant" in (answer.reason or "")

    def test_what_is_too_large_is_refused_before_it_is_sent(self) -> None:
        with pytest.raises(ValueError, match="FCM takes 4,096"):
            message_of(push_of(outgoing(data={"x": "y" * 5000})), PHONE)


def apns(server: HTTPServer, clock: Clock | None = None) -> Apns:
    topics = ("com.example.first", "com.example.harbour")
    base = server.url_for("").rstrip("/")
    return Apns(ProviderWire(2, 5), EC, "KEY1234567", "TEAM123456", topics, base, clock or Clock())


class TestApns:
    def test_the_whole_request(self, httpserver: HTTPServer) -> None:
        seen: list[Request] = []

        def take(request: Request) -> Response:
            request.get_data()
            seen.append(request)
            return Response(status=200, headers={"apns-id": request.headers["apns-id"]})

        httpserver.expect_request(f"/3/device/{IPHONE.token}", method="POST").respond_with_handler(take)
        push = push_of(outgoing(url="harbour://table", collapse="table", ttl="1h", data={"table": "7"}))
        answer = apns(httpserver).push(push, IPHONE)
        [request] = seen
        headers = request.headers
        assert answer == Answer("accepted", reference=push.uuid)
        assert UUID(headers["apns-id"]) == UUID(push.uuid)
        assert headers["apns-topic"] == "com.example.harbour"
        assert headers["apns-push-type"] == "alert"
        assert headers["apns-collapse-id"] == "table"
        assert headers["apns-expiration"] == str(int(Clock.now) + 3600)
        token = headers["authorization"].removeprefix("bearer ")
        assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
        claims = jwt.decode(token, EC.public_key(), algorithms=["ES256"], options={"verify_iat": False})
        assert claims == {"iss": "TEAM123456", "iat": int(Clock.now)}
        assert json.loads(request.data) == {
            "aps": {"alert": {"title": "Your table", "body": "It is ready"}, "sound": "default"},
            "table": "7", "message": "e1.push_1.1", "url": "harbour://table",
        }  # fmt: skip

    def test_an_app_that_is_not_ours_gets_the_first_topic(self, httpserver: HTTPServer) -> None:
        topics: list[str] = []

        def take(request: Request) -> Response:
            topics.append(request.headers["apns-topic"])
            return Response(status=200)

        httpserver.expect_request(f"/3/device/{IPHONE.token}").respond_with_handler(take)
        apns(httpserver).push(push_of(outgoing()), IPHONE._replace(app="com.evil"))
        assert topics == ["com.example.first"]

    def test_the_token_is_signed_anew_after_fifty_minutes(self, httpserver: HTTPServer) -> None:
        tokens: list[str] = []

        def take(request: Request) -> Response:
            tokens.append(request.headers["authorization"])
            return Response(status=200)

        httpserver.expect_request(f"/3/device/{IPHONE.token}").respond_with_handler(take)
        clock = Clock()
        service = apns(httpserver, clock)
        for moved in (0, RENEWED_AFTER - 1, 1):
            clock.now += moved
            service.push(push_of(outgoing()), IPHONE)
        assert tokens[0] == tokens[1] != tokens[2]

    @pytest.mark.parametrize(
        ("status", "reason", "outcome", "gone", "down"),
        [
            (410, "Unregistered", "rejected", True, False),
            (410, "ExpiredToken", "rejected", True, False),
            (400, "BadDeviceToken", "rejected", False, False),
            (400, "DeviceTokenNotForTopic", "rejected", False, False),
            (413, "PayloadTooLarge", "rejected", False, False),
            (403, "ExpiredProviderToken", "retry", False, False),
            (403, "InvalidProviderToken", "retry", False, True),
            (400, "TopicDisallowed", "retry", False, True),
            (429, "TooManyProviderTokenUpdates", "retry", False, True),
            (429, "TooManyRequests", "retry", False, True),
            (503, "ServiceUnavailable", "retry", False, True),
            (500, "InternalServerError", "unknown", False, False),
        ],
    )
    def test_errors(
        self, httpserver: HTTPServer, status: int, reason: str, outcome: str, gone: bool, down: bool
    ) -> None:
        httpserver.expect_request(f"/3/device/{IPHONE.token}").respond_with_json({"reason": reason}, status)
        answer = apns(httpserver).push(push_of(outgoing()), IPHONE)
        assert (answer.outcome, answer.gone == (IPHONE.reference,), answer.down) == (outcome, gone, down)
        assert reason in (answer.reason or "")

    def test_without_a_library_for_http_2_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(apns_module, "find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"httpx2\[http2\]"):
            apns_module.apns_wire(1, 1)


class TestOneAnswerForAllDevices:
    GONE = Answer("rejected", "gone", gone=("fcm:1",))
    NO = Answer("rejected", "no")
    LATER = Answer("retry", "later", after=5, down=True)
    LOST = Answer("unknown", "lost")
    YES = Answer("accepted", reference="r")

    @pytest.mark.parametrize(
        ("answers", "outcome", "receipts", "gone"),
        [
            ([YES, GONE, LATER, LOST], "accepted", (), ("fcm:1",)),
            ([GONE, LATER, LOST], "unknown", (), ("fcm:1",)),
            ([GONE, LATER, NO], "retry", (), ()),
            ([GONE, NO], "rejected", (), ("fcm:1",)),
            ([GONE, GONE._replace(gone=("web:2",))], "rejected", ("bounce",), ("fcm:1", "web:2")),
            ([NO, NO], "rejected", (), ()),
            ([], "rejected", ("bounce",), ()),
        ],
    )
    def test_joined(
        self, answers: list[Answer], outcome: str, receipts: tuple[str, ...], gone: tuple[str, ...]
    ) -> None:
        answer = joined(answers)
        assert (answer.outcome, answer.receipts, answer.gone) == (outcome, receipts, gone)
        assert answer.outcome == "accepted" or answer.reason


class Slow:
    """A push service that takes its time, to get ready or for each device; it notes when it began with which."""

    def __init__(self, ready_for: float = 0.0, push_for: float = 0.0) -> None:
        self.ready_for, self.push_for = ready_for, push_for
        self.began_at: list[float] = []

    def ready(self) -> None:
        time.sleep(self.ready_for)
        self.ready_for = 0.0

    def check(self) -> Answer:
        return Answer("accepted", "slowly")

    def push(self, push: Any, device: Device) -> Answer:
        self.began_at.append(time.monotonic())
        time.sleep(self.push_for)
        return Answer("accepted")

    def close(self) -> None:
        pass


class TestNothingIsBegunLate:
    def test_a_message_whose_preparations_took_long_is_checked_again(self) -> None:
        slow = Slow(ready_for=1.1)
        channel = PushChannel({"fcm": slow})
        [answer] = channel.send([outgoing()])
        assert (answer.outcome, answer.down, slow.began_at) == ("retry", False, [])
        assert channel.send([outgoing()])[0].outcome == "accepted"
        channel.close()

    @pytest.mark.parametrize(("klass", "begun"), [("promotional", 8), ("service", 8), ("transactional", 10)])
    def test_no_device_is_begun_after_a_second_but_for_what_nobody_can_refuse(self, klass: str, begun: int) -> None:
        slow, began_at = Slow(push_for=0.6), time.monotonic()
        channel = PushChannel({"fcm": slow}, width=1)  # four at once: 0 s, 0.6 s, 1.2 s
        devices = [PHONE._replace(token=f"token-{n}") for n in range(10)]
        [answer] = channel.send([outgoing(devices)._replace(klass=klass)])
        assert answer.outcome == "accepted" and len(slow.began_at) == begun
        assert klass == "transactional" or max(slow.began_at) - began_at <= 1.0
        channel.close()

    def test_a_token_that_comes_late_is_for_the_next_try(self, httpserver: HTTPServer) -> None:
        google = Google(httpserver)
        service = fcm(httpserver)
        buy, service._wire.call = service._wire.call, None  # type: ignore[assignment, method-assign]

        def slowly(*call: Any) -> Any:
            if "oauth" in call[1]:
                time.sleep(1.1)
            return buy(*call)

        service._wire.call = slowly  # type: ignore[assignment, method-assign]
        assert service.push(push_of(outgoing()), PHONE).outcome == "retry" and not google.sent
        assert service.push(push_of(outgoing()), PHONE).outcome == "accepted"

    def test_where_none_comes_for_long_nobody_waits_again_for_a_while(self) -> None:
        asked: list[float] = []

        def never() -> Any:
            asked.append(time.monotonic())
            time.sleep(1.1)
            raise NotSent("away")

        token = KeptToken(never, time.time)
        began_at = time.monotonic()
        for _ in range(3):
            with pytest.raises(NotSent):
                token.get()
        assert len(asked) == 1 and time.monotonic() - began_at < 2


class _WithDevices:
    """The contract's messages, each with a phone; what the contract says of ids holds for what arrives."""

    def __init__(self, channel: PushChannel) -> None:
        self._channel = channel
        self.idempotent, self.width, self.rate = channel.idempotent, channel.width, channel.rate

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        devices = [PHONE.as_data()]
        return self._channel.send([message._replace(provider={"devices": devices}) for message in messages])

    def close(self) -> None:
        self._channel.close()


class TestContract(ChannelContract):
    @pytest.fixture
    def adapter(self, httpserver: HTTPServer) -> Iterator[Adapter]:
        google = Google(httpserver)
        channel = _WithDevices(PushChannel({"fcm": fcm(httpserver)}))
        yield Adapter(channel, "push", lambda: [sent_id(request) for request in google.sent], hostile=False)
        channel.close()


def sent_id(request: Request) -> str:
    return str(json.loads(request.data)["message"]["data"]["message"])


class TestConfigured:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "vapid.pem").write_text(pem(EC))
        (tmp_path / "AuthKey.p8").write_text(pem(EC))
        account = {"project_id": "harbour-1", "client_email": "a@b.example", "private_key": pem(RSA)}
        (tmp_path / "sa.json").write_text(json.dumps(account))
        return tmp_path

    def test_all_three_ways_in_one_address(self, httpserver: HTTPServer, folder: Path) -> None:
        google = Google(httpserver, "/fcm")
        httpserver.expect_request("/web/wpush/v2/gAAAAA").respond_with_data("", 201)
        httpserver.expect_request(f"/apns/3/device/{IPHONE.token}").respond_with_json({"reason": "Unregistered"}, 410)
        base = httpserver.url_for("").rstrip("/")
        channel = channel_of(
            f"push:?vapid=vapid.pem&subject=mailto:ops@example.com&fcm=sa.json&apns=AuthKey.p8&apns_key=K&apns_team=T"
            f"&apns_topic=com.example&base={base}",
            base_dir=folder,
        )
        [answer] = channel.send([outgoing([PHONE, IPHONE, Browser().device()])])
        assert (answer.outcome, answer.gone) == ("accepted", (IPHONE.reference,))
        assert len(google.sent) == 1 and len(httpserver.log) == 4
        channel.close()

    def test_each_service_is_asked_without_sending(self, httpserver: HTTPServer, folder: Path) -> None:
        google = Google(httpserver, "/fcm")
        apple = httpserver.expect_request(f"/apns/3/device/{'0' * 64}")
        apple.respond_with_json({"reason": "BadDeviceToken"}, 400)
        base = httpserver.url_for("").rstrip("/")
        url = f"push:?vapid=vapid.pem&subject=mailto:ops@example.com&fcm=sa.json&base={base}"
        url += "&apns=AuthKey.p8&apns_key=K&apns_team=T&apns_topic=com.example"
        channel = channel_of(url, base_dir=folder)
        assert isinstance(channel, PushChannel)
        said = channel.check()
        assert said.outcome == "accepted" and all(kind in (said.reason or "") for kind in ("web:", "fcm:", "apns:"))
        assert [json.loads(request.data)["validate_only"] for request in google.sent] == [True]
        google.answers = [refused(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED")]
        assert channel.check().outcome != "accepted"
        google.answers = [(200, {})]
        apple.respond_with_json({"reason": "InvalidProviderToken"}, 403)
        assert "InvalidProviderToken" in (channel.check().reason or "")
        assert channel.check().outcome == "rejected"
        channel.close()

    def test_a_kind_that_is_not_configured_is_passed_over(self, folder: Path) -> None:
        channel = channel_of("push:?vapid=vapid.pem&subject=mailto:ops@example.com", base_dir=folder)
        [answer] = channel.send([outgoing([PHONE])])
        assert (answer.outcome, answer.receipts) == ("rejected", ())
        assert "nothing is configured for devices of the kind fcm" in (answer.reason or "")

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("push:", "no way to send"),
            ("push://host?vapid=vapid.pem", "has no host"),
            ("push:?vapid=vapid.pem", "needs subject"),
            ("push:?vapid=none.pem&subject=mailto:a@b.example", "cannot be read"),
            ("push:?vapid=sa.json&subject=mailto:a@b.example", "no private key"),
            ("push:?fcm=vapid.pem", "no JSON"),
            ("push:?apns=AuthKey.p8", "needs apns_key"),
            ("push:?vapit=x", "did you mean 'vapid'"),
        ],
    )
    def test_what_is_missing_is_said(self, folder: Path, url: str, said: str) -> None:
        with pytest.raises(UsageError, match=said) as told:
            channel_of(url, base_dir=folder)
        assert "PRIVATE" not in str(told.value)

    def test_an_account_without_its_parts(self, tmp_path: Path) -> None:
        (tmp_path / "sa.json").write_text('{"project_id": "x"}')
        with pytest.raises(UsageError, match="lacks client_email, private_key"):
            read_service_account(tmp_path, "sa.json")
