"""The APIs of e-mail providers, faked on the loopback interface: each takes what the real one takes, and keeps it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.channels.configured import channel_of
from orchestrator.channels.message_mark import MARK, id_of
from orchestrator.channels.protocol import Channel


@dataclass(frozen=True)
class Api:
    """A provider: its URL without `base`, its path, what it answers, and where our mark is in what it gets."""

    url: str
    path: str
    answer: tuple[int, Any, dict[str, str]]
    mark: Callable[[Request], str]
    reference: str | None
    keyed: bool = False
    whole: bool = False
    """Whether it takes a message as the bytes of an e-mail."""


def body_of(request: Request) -> Any:
    """The JSON of a request."""
    return json.loads(request.get_data())


def raw_mail(request: Request) -> EmailMessage:
    """The e-mail within a request to SES or Mailgun, as a mail program reads it."""
    if request.files:
        data = request.files["message"].read()
    else:
        data = b64decode(body_of(request)["Content"]["Raw"]["Data"])
    message: EmailMessage = message_from_bytes(data, policy=default)
    return message


def form_of(request: Request) -> dict[str, str]:
    """The form of a request to DirectMail."""
    fields = parse_qs(request.get_data().decode("ascii"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


APIS: dict[str, Api] = {
    "ses": Api(
        "ses://AKIDEXAMPLE:secret%2F@eu-west-1",
        "/v2/email/outbound-emails",
        (200, {"MessageId": "010f"}, {}),
        lambda request: str(body_of(request)["EmailTags"][0]["Value"]),
        "010f",
        whole=True,
    ),
    "sendgrid": Api(
        "sendgrid://:SG.key@",
        "/v3/mail/send",
        (202, None, {"X-Message-Id": "sg1"}),
        lambda request: str(body_of(request)["personalizations"][0]["custom_args"][MARK]),
        "sg1",
    ),
    "mailgun": Api(
        "mailgun://:key@mg.example.com",
        "/v3/mg.example.com/messages.mime",
        (200, {"id": "<mg1@mg.example.com>", "message": "Queued. Thank you."}, {}),
        lambda request: request.form[f"v:{MARK}"],
        "mg1@mg.example.com",
        whole=True,
    ),
    "postmark": Api(
        "postmark://:token@",
        "/email",
        (200, {"ErrorCode": 0, "Message": "OK", "MessageID": "pm1", "To": "ana@example.com"}, {}),
        lambda request: "".join(body_of(request)["Metadata"].values()),
        "pm1",
    ),
    "resend": Api(
        "resend://:re_key@",
        "/emails",
        (200, {"id": "re1"}, {}),
        lambda request: str(body_of(request)["tags"][0]["value"]),
        "re1",
        keyed=True,
    ),
    "brevo": Api(
        "brevo://:xkeysib@",
        "/v3/smtp/email",
        (201, {"messageId": "<b1@smtp-relay.example.com>"}, {}),
        lambda request: str(body_of(request)["headers"]["X-Mailin-custom"].removeprefix(f"{MARK}:")),
        "b1@smtp-relay.example.com",
    ),
    "directmail": Api(
        "directmail://keyid:secret@cn-hangzhou",
        "/",
        (200, {"EnvId": "600001", "RequestId": "r1"}, {}),
        lambda request: str(json.loads(form_of(request)["Headers"])["X-User-Notify-Message"]),
        "600001",
    ),
}


class FakeApi:
    """One provider's API that runs. `requests` are those that it took, each key once; `mails` what was in them."""

    def __init__(self, server: HTTPServer, scheme: str) -> None:
        self.api = APIS[scheme]
        self.requests: list[Request] = []
        self.mails: list[EmailMessage] = []
        self.next: list[Response] = []
        self.base = server.url_for("").rstrip("/")
        self._keys: set[str] = set()
        server.expect_request(self.api.path, method="POST").respond_with_handler(self._answer)

    def ids(self) -> list[str]:
        """Our ids of the messages that it has."""
        return [id_of(mark) or mark for mark in map(self.api.mark, self.requests)]

    def channel(self, options: str = "", folder: Path = Path("/nowhere")) -> Channel:
        """A channel that reaches it."""
        return channel_of(f"{self.api.url}?base={self.base}&timeout=10{options}", base_dir=folder)

    def _answer(self, request: Request) -> Response:
        request.get_data(parse_form_data=False, cache=True)
        if self.next:
            return self.next.pop(0)
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in self._keys:
            _ = self.api.mark(request)
            self.requests.append(request)
            if self.api.whole:
                self.mails.append(raw_mail(request))
        if key is not None:
            self._keys.add(key)
        status, body, headers = self.api.answer
        return answered(status, body, headers)


def answered(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Response:
    """An answer of a provider."""
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    return Response(text, status, headers or {}, content_type="application/json")
