"""SMTP against a real server: each way in which it can fail has one outcome, and harms no other message."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.smtp import SmtpChannel, SmtpOptions
from orchestrator.channels.smtp_wire import SmtpServer
from tests.channels.contract import outgoing
from tests.channels.mail_server import MailServer, dripping, free_port, lines, mail_server, raw_server, saying


@pytest.fixture(params=[(), ("PIPELINING",)], ids=["in turn", "pipelined"])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """Whatever goes wrong has the same outcome, whether commands wait for each other's answers or not."""
    with mail_server() as running:
        running.offers = request.param
        yield running


def channel_to(port: int, **options: object) -> SmtpChannel:
    """A channel that loses patience soon."""
    known = {"timeout": 1.0, "connect_timeout": 1.0, **options}
    return SmtpChannel(SmtpServer("127.0.0.1", port, **known), SmtpOptions(width=4))  # type: ignore[arg-type]


@pytest.fixture
def channel(server: MailServer) -> Iterator[SmtpChannel]:
    made = channel_to(server.port)
    yield made
    made.close()


def send(channel: SmtpChannel, *messages: Outgoing) -> list[Answer]:
    return list(channel.send(messages or [outgoing()]))


def to(*names: str) -> list[Outgoing]:
    return [outgoing(f"{name}.s.1", to=f"{name}@example.com") for name in names]


# --- what goes well -------------------------------------------------------------------------------------------------


def test_a_message_arrives_as_it_was_meant(server: MailServer, channel: SmtpChannel) -> None:
    [answer] = send(channel, outgoing(subject="您好", text=".\r\n..\r\nend", html=None))
    assert answer == Answer("accepted", reference="Q1")
    [(recipient, message)] = server.accepted
    assert (recipient, str(message["Subject"])) == ("ana@example.com", "您好")
    assert message.get_content() == ".\r\n..\r\nend\r\n"
    assert server.envelopes[0].mail_from == "hello@example.com"


def test_connections_are_used_again_and_are_never_more_than_the_width(server: MailServer, channel: SmtpChannel) -> None:
    server.pause = 0.01
    for number in range(5):
        assert [a.outcome for a in send(channel, *to(*(f"u{number}{n}" for n in range(8))))] == ["accepted"] * 8
    assert len(server.accepted) == 40
    assert len(server.sessions) <= 4


def test_a_connection_that_was_closed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    with mail_server(timeout=0.1) as server:
        channel = channel_to(server.port)
        assert send(channel)[0].outcome == "accepted"
        time.sleep(0.4)
        assert send(channel)[0].outcome == "accepted"
        assert len(server.sessions) == 2
        channel.close()


def test_a_connection_that_has_served_enough_is_made_anew(server: MailServer, channel: SmtpChannel) -> None:
    assert send(channel)[0].outcome == "accepted"
    server.replies["MAIL"] = "421 4.7.0 too many messages in one session"
    [answer] = send(channel)
    assert answer.outcome == "retry" and answer.down  # the new one was told the same
    del server.replies["MAIL"]
    assert send(channel)[0].outcome == "accepted"


def test_the_envelope_may_have_a_sender_of_its_own(server: MailServer) -> None:
    channel = SmtpChannel(SmtpServer("127.0.0.1", server.port), SmtpOptions(bounces_to="bounces@example.com"))
    send(channel)
    channel.close()
    assert server.envelopes[0].mail_from == "bounces@example.com"
    assert server.accepted[0][1]["From"].addresses[0].addr_spec == "hello@example.com"


def test_a_mailbox_beyond_ascii_is_sent_where_the_server_knows_it(server: MailServer, channel: SmtpChannel) -> None:
    [answer] = send(channel, outgoing(to="josé@example.com"))
    assert answer.outcome == "rejected" and "SMTPUTF8" in (answer.reason or "")
    assert send(channel)[0].outcome == "accepted"
    with mail_server(enable_SMTPUTF8=True) as modern:
        other = channel_to(modern.port)
        assert send(other, outgoing(to="josé@example.com"))[0].outcome == "accepted"
        other.close()
        assert modern.accepted[0][0] == "josé@example.com"


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "outcome", "down"),
    [
        ("450 4.2.1 mailbox busy", "retry", False),
        ("451 4.7.1 greylisted", "retry", False),
        ("452 4.3.1 out of space", "retry", False),
        ("421 4.3.2 shutting down", "retry", True),
        ("454 4.7.0 log-in out of order", "retry", True),
        ("530 5.7.0 authentication required", "retry", True),
        ("535 5.7.8 credentials revoked", "retry", True),
        ("550 5.7.1 blocked by policy", "rejected", False),
        ("552 5.3.4 too large", "rejected", False),
        ("554 transaction failed", "rejected", False),
    ],
)
def test_a_refusal(
    server: MailServer, channel: SmtpChannel, command: str, reply: str, outcome: str, down: bool
) -> None:
    server.replies[command] = reply
    [answer] = send(channel)
    assert (answer.outcome, answer.down, answer.receipts) == (outcome, down, ())
    assert reply[:3] in (answer.reason or "")
    assert server.accepted == []
    server.replies.clear()
    assert send(channel)[0].outcome == "accepted"  # the connection is fit for the next one, or a new one is made
    assert len(server.accepted) == 1


@pytest.mark.parametrize(
    ("reply", "receipts"),
    [
        ("550 5.1.1 no such user", ("bounce",)),
        ("553 5.1.3 bad syntax", ("bounce",)),
        ("556 5.1.10 null MX", ("bounce",)),
        ("550 no such user", ()),
        ("550 5.1.8 bad sender", ()),
        ("550 5.2.2 mailbox full", ()),
        ("550 4.1.1 codes that contradict each other", ()),
    ],
)
def test_a_mailbox_that_is_not_there_is_a_hard_bounce(
    server: MailServer, channel: SmtpChannel, reply: str, receipts: tuple[str, ...]
) -> None:
    server.replies["RCPT"] = reply
    [answer] = send(channel)
    assert (answer.outcome, answer.receipts) == ("rejected", receipts)


def test_one_rejected_recipient_of_a_hundred_concerns_no_other(server: MailServer, channel: SmtpChannel) -> None:
    names = [f"u{number}" for number in range(100)]
    server.replies["RCPT u37@example.com"] = "550 5.1.1 no such user"
    answers = [answer for place in range(0, 100, 4) for answer in send(channel, *to(*names[place : place + 4]))]
    assert [name for name, answer in zip(names, answers) if answer.outcome != "accepted"] == ["u37"]
    assert sorted(recipient for recipient, _ in server.accepted) == sorted(
        f"{name}@example.com" for name in names if name != "u37"
    )


def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with mail_server(data_size_limit=5_000) as server:
        channel = channel_to(server.port)
        [answer] = send(channel, outgoing(text="x" * 10_000))
        assert answer.outcome == "rejected" and "552" in (answer.reason or "")
        assert send(channel)[0].outcome == "accepted"
        channel.close()


# --- lost connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_before_the_last_dot_a_lost_connection_means_unsent(
    server: MailServer, channel: SmtpChannel, command: str, fault: str
) -> None:
    server.replies[command] = fault
    [answer] = send(channel)
    assert (answer.outcome, answer.down) == ("retry", True)
    server.replies.clear()
    assert send(channel)[0].outcome == "accepted"
    assert len(server.accepted) == 1


@pytest.mark.parametrize(("fault", "taken"), [("drop", 0), ("hang", 0), ("drop_after", 1)])
def test_after_the_last_dot_nobody_knows(server: MailServer, channel: SmtpChannel, fault: str, taken: int) -> None:
    server.replies["DATA"] = fault
    [answer] = send(channel)
    assert answer.outcome == "unknown" and answer.reason
    assert len(server.accepted) == taken
    server.replies.clear()
    assert send(channel)[0].outcome == "accepted"


def test_a_used_connection_that_drops_is_not_taken_for_a_dead_server(server: MailServer, channel: SmtpChannel) -> None:
    assert send(channel)[0].outcome == "accepted"
    server.replies["DATA ana@example.com"] = "drop"
    assert send(channel)[0].outcome == "unknown"
    assert len(server.accepted) == 1


def test_nobody_listens() -> None:
    channel = channel_to(free_port())
    began_at = time.monotonic()
    [answer] = send(channel)
    assert (answer.outcome, answer.down) == ("retry", True)
    assert "no connection to the mail server 127.0.0.1" in (answer.reason or "")
    assert time.monotonic() - began_at < 1


GREETING = lines("220 mail.test", "250-mail.test\r\n250 SIZE 1000000", "250 ok", "250 ok", "354 go on")


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([b""], "retry"),
        (lines("554 5.7.1 go away"), "retry"),
        (lines("421 too busy"), "retry"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "retry"),
        ([b"\x00\xff\xfe" * 50_000], "retry"),
        ([b"220-" + b"x" * 200_000], "retry"),
        ([b"220-no end\r\n" * 20_000], "retry"),
        (lines("220 hello", "500 what", "500 what"), "retry"),
        ([*GREETING[:2], b"gar bage\r\n"], "retry"),
        ([*GREETING[:4], b"gar bage\r\n"], "retry"),
        ([*GREETING[:4], b"250 no data wanted\r\n"], "retry"),
        ([*GREETING, b"gar bage\r\n"], "unknown"),
        ([*GREETING, b"25"], "unknown"),
        ([*GREETING, b"354 more\r\n"], "unknown"),
        ([*GREETING, b"421 4.3.2 shutting down\r\n"], "retry"),
        ([*GREETING, b"250 2.0.0 Ok: queued as 4XyZ12\r\n"], "accepted"),
    ],
)
def test_whatever_a_server_says_has_one_outcome(replies: list[bytes], outcome: str) -> None:
    with raw_server(saying(*replies)) as server:
        channel = channel_to(server.port)
        [answer] = send(channel)
        channel.close()
    assert answer.outcome == outcome
    assert answer.reason is None or (answer.reason.isprintable() and len(answer.reason) <= 600)


@pytest.mark.parametrize("text", [b"220 slow", b"220-a\r\n"])
def test_a_server_that_says_a_byte_now_and_then_is_left_in_time(text: bytes) -> None:
    with raw_server(dripping(text, 0.05)) as server:
        channel = channel_to(server.port, connect_timeout=0.4)
        began_at = time.monotonic()
        [answer] = send(channel)
        assert time.monotonic() - began_at < 2
        channel.close()
    assert (answer.outcome, answer.down) == ("retry", True)


def test_a_slow_greeting_sends_the_message_back_to_be_looked_at_again(server: MailServer) -> None:
    class Slow:
        now = 0.0

        def __call__(self) -> float:
            self.now += 0.6
            return self.now

    channel = SmtpChannel(SmtpServer("127.0.0.1", server.port), SmtpOptions(width=1), clock=Slow())
    [answer] = send(channel)
    assert (answer.outcome, answer.down, answer.after) == ("retry", False, 1.0)
    assert send(channel)[0].outcome == "accepted"  # over the connection that is there now
    channel.close()


# --- TLS and log-in -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one file."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    place = tmp_path_factory.mktemp("certificate") / "both.pem"
    no_password = serialization.NoEncryption()
    place.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return place


def tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    ("query", "outcome", "why"),
    [
        ("ca={ca}&starttls=require", "accepted", ""),
        ("ca={ca}", "accepted", ""),
        ("verify=no", "accepted", ""),
        ("starttls=require", "retry", "certificate verify failed"),
        ("starttls=no", "retry", "530"),
    ],
)
def test_starttls(certificate: Path, query: str, outcome: str, why: str) -> None:
    with mail_server(tls_context=tls_context(certificate), require_starttls=True) as server:
        url = f"smtp://localhost:{server.port}?{query.format(ca=certificate)}"
        channel = channel_of(url, base_dir=Path("/"))
        [answer] = channel.send([outgoing()])
        channel.close()
    assert answer.outcome == outcome
    assert why in (answer.reason or "")


def test_starttls_that_is_required_and_not_offered(server: MailServer) -> None:
    channel = channel_to(server.port, tls="require")
    [answer] = send(channel)
    assert (answer.outcome, answer.down) == ("retry", True)
    assert "offers no STARTTLS" in (answer.reason or "")
    assert server.sessions == set()


@pytest.mark.parametrize(("tls", "outcome"), [("require", "retry"), ("prefer", "accepted")])
def test_starttls_that_is_offered_and_refused(tls: str, outcome: str) -> None:
    offer = [b"220 mail.test\r\n", b"250-mail.test\r\n250 STARTTLS\r\n", b"454 4.7.0 not just now\r\n"]
    with raw_server(saying(*offer, *GREETING[2:], b"250 taken\r\n")) as server:
        channel = channel_to(server.port, tls=tls)
        [answer] = send(channel)
        channel.close()
    assert answer.outcome == outcome


def test_nothing_that_came_before_the_tls_is_believed(certificate: Path) -> None:
    with raw_server(saying(b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n")) as server:
        channel = channel_to(server.port, tls="require", verify=False)
        assert send(channel)[0].outcome == "retry"
        channel.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_log_in() -> None:
    with mail_server(auth_required=True, auth_require_tls=False) as server:
        server.passwords["shop"] = "p@ss/word"
        channel = channel_of(f"smtp://shop:p%40ss%2Fword@127.0.0.1:{server.port}", base_dir=Path("/"))
        assert [a.outcome for a in channel.send([outgoing()])] == ["accepted"]
        channel.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_revoked_password_burns_no_message_and_is_said_loudly() -> None:
    with mail_server(auth_required=True, auth_require_tls=False) as server:
        channel = channel_of(f"smtp://shop:secret-word@127.0.0.1:{server.port}", base_dir=Path("/"))
        answers = channel.send(to("a", "b", "c"))
        assert [(answer.outcome, answer.down) for answer in answers] == [("retry", True)] * 3
        assert all("does not let 'shop' in" in (answer.reason or "") for answer in answers)
        assert not any("secret-word" in (answer.reason or "") for answer in answers)
        server.passwords["shop"] = "secret-word"
        assert [answer.outcome for answer in channel.send(to("a", "b", "c"))] == ["accepted"] * 3
        channel.close()


def test_a_log_in_that_is_not_offered(server: MailServer) -> None:
    channel = channel_to(server.port, user="shop", password="word")
    [answer] = send(channel)
    channel.close()
    assert (answer.outcome, answer.down) == ("retry", True)
    assert "offers no log-in" in (answer.reason or "")


# --- a process that was away ----------------------------------------------------------------------------------------


def test_what_was_frozen_on_its_way_to_a_connection_is_not_sent(server: MailServer) -> None:
    """The process stands still for a minute between the call and the threads: another one may have its messages."""
    readings = iter([0.0])
    known = SmtpServer("127.0.0.1", server.port, timeout=30.0, connect_timeout=1.0)
    channel = SmtpChannel(known, SmtpOptions(width=4), lambda: next(readings, 60.0))
    assert [answer.outcome for answer in send(channel, *to("a", "b", "c"))] == ["retry"] * 3
    assert server.accepted == []
    channel.close()
