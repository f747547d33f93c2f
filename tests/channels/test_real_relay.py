"""Mail by way of a real mail server to a sink: what a server on the way adds breaks no signature, and the bounce that
it writes of its own accord is understood."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.channels.bounces.classify import read_returned
from orchestrator.channels.configured import channel_of
from orchestrator.channels.dkim import read_keys
from orchestrator.core.verp import verp_id, verp_mark
from tests.channels.contract import outgoing
from tests.channels.mail_server import MailServer, mail_server
from tests.servers.relay import relay_to

SECRET = b"a secret for tests, of 32 bytes."
MAILS = 12
ARRIVES_WITHIN = 30.0
GONE = "0123456789abcdef.gone.1"


def waited(until: Callable[[], bool]) -> bool:
    end = time.monotonic() + ARRIVES_WITHIN
    while not until() and time.monotonic() < end:
        time.sleep(0.05)
    return until()


def test_a_real_mail_server_passes_on_what_we_hand_over(tmp_path: Path) -> None:
    key = generate_private_key(65537, 2048)
    (tmp_path / "dkim.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    record = read_keys("s1:dkim.pem", tmp_path)[0].record().encode()
    ids = [f"0123456789abcdef.nudge.{n}" for n in range(MAILS)]
    with mail_server() as sink, relay_to(sink.port) as relay:
        sink.replies["RCPT gone@example.com"] = "550 5.1.1 no such user"
        url = f"smtp://127.0.0.1:{relay.port}?dkim=s1:dkim.pem&bounces=bounce@b.example.com"
        channel = channel_of(url, base_dir=tmp_path)
        mails = [
            outgoing(id, to=f"u{n}@example.com", bounce_mark=verp_mark(SECRET, id), subject=f"您好 {n}",
                     text=".\r\n..\r\nWelcome  \t\r\n\r\n", html="<p>" + "您的早餐 " * 400 + "</p>")
            for n, id in enumerate(ids)
        ]  # fmt: skip
        answers = channel.send([*mails, outgoing(GONE, to="gone@example.com", bounce_mark=verp_mark(SECRET, GONE))])
        channel.close()
        assert [answer.outcome for answer in answers[:MAILS]] == ["accepted"] * MAILS, answers
        assert waited(lambda: len(sink.accepted) == MAILS + relay.bounces)
        from_us = [n for n, (to, _) in enumerate(sink.accepted) if verp_id(SECRET, to) is None]
        assert sorted(sink.accepted[n][0] for n in from_us) == sorted(f"u{n}@example.com" for n in range(MAILS))
        for n in from_us:
            raw = sink.envelopes[n].original_content
            assert raw is not None
            assert (b"\r\nReceived:" in b"\r\n" + raw) is relay.bounces
            assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: {b"s1._domainkey.example.com.": record}.get(name))
        if relay.bounces:
            assert answers[MAILS].outcome == "accepted"  # it knew no better yet
            assert_bounce_is_understood(sink)


def assert_bounce_is_understood(sink: MailServer) -> None:
    [envelope] = [
        envelope for (to, _), envelope in zip(sink.accepted, sink.envelopes, strict=True) if verp_id(SECRET, to) == GONE
    ]
    assert envelope.mail_from in ("", "<>") and envelope.original_content is not None  # a bounce of it comes to nobody
    [returned] = read_returned(envelope.original_content).returned
    assert (returned.said, returned.address) == ("hard", "gone@example.com"), returned
