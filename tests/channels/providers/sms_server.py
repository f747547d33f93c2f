"""Providers of SMS on this machine: each answers as its documentation says, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Channel


@dataclass
class SmsServer:
    """`answer`: what is answered instead of an acceptance, as (status, body)."""

    scheme: str
    server: HTTPServer
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    answer: tuple[int, Any] | None = None

    @property
    def base(self) -> str:
        return self.server.url_for("").rstrip("/")

    def channel(self, more: str = "") -> Channel:
        """The adapter that talks to it."""
        base = quote(self.base, safe="")
        url = {
            "twilio": f"twilio://AC1:token@?from=%2B15550100&callback=https%3A%2F%2Fj.example%2Fhooks%2Ftwilio&base={base}",
            "vonage": f"vonage://key:secret@?from=Harbour&base={base}",
            "aliyunsms": f"aliyunsms://id:secret@?signature=Harbour&base={base}",
            "tencentsms": f"tencentsms://id:secret@1400006666?signature=Harbour&base={base}",
            "http": f"http://user:pw@{urlsplit(self.base).netloc}/send?from=Harbour",
        }[self.scheme]
        return channel_of(url + more, base_dir=Path())

    def handle(self, request: Request) -> Response:
        body = request.get_data()
        self.requests.append(request)
        self.bodies.append(body)
        if self.answer is not None:
            status, said = self.answer
            written = said if isinstance(said, bytes) else json.dumps(said).encode()
            return Response(written, status, mimetype="application/json")
        mark, said = _ACCEPTED[self.scheme](body)
        if self.scheme != "http" or mark not in self.marks:
            self.marks.append(mark)
        return Response(json.dumps(said), 201 if self.scheme == "twilio" else 200, mimetype="application/json")

    def forget(self) -> None:
        """As new."""
        self.requests.clear()
        self.bodies.clear()
        self.marks.clear()
        self.answer = None

    def form(self, number: int = -1) -> dict[str, str]:
        """The form that was posted."""
        return dict(parse_qsl(self.bodies[number].decode(), keep_blank_values=True))


def _twilio(body: bytes) -> tuple[str, Any]:
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    mark = parse_qs(urlsplit(form["StatusCallback"]).query)["m"][0]
    return mark, {"sid": f"SM{len(mark)}", "status": "queued", "error_code": None}


def _vonage(body: bytes) -> tuple[str, Any]:
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    return form["client-ref"], {"message-count": "1", "messages": [{"status": "0", "message-id": "V1"}]}


def _aliyun(body: bytes) -> tuple[str, Any]:
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    return form["OutId"], {"Code": "OK", "BizId": "B1", "Message": "OK", "RequestId": "R"}


def _tencent(body: bytes) -> tuple[str, Any]:
    sent = json.loads(body)
    state = {"SerialNo": "S1", "Code": "Ok", "Message": "send success", "SessionContext": sent["SessionContext"]}
    return sent["SessionContext"], {"Response": {"SendStatusSet": [state], "RequestId": "R"}}


def _gateway(body: bytes) -> tuple[str, Any]:
    return json.loads(body)["id"], {"reference": "G1"}


_ACCEPTED = {"twilio": _twilio, "vonage": _vonage, "aliyunsms": _aliyun, "tencentsms": _tencent, "http": _gateway}


@contextmanager
def sms_server(scheme: str) -> Iterator[SmsServer]:
    """A provider that is running."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        found = SmsServer(scheme, server)
        for path in ("/", "/send", "/sms/json", "/2010-04-01/Accounts/AC1/Messages.json"):
            server.expect_request(path, method="POST").respond_with_handler(found.handle)
        yield found
