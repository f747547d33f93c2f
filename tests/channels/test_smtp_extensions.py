"""What a mail server offers beyond the plain protocol: pipelining, DSN; and what we ask of ourselves: signatures,
bounce addresses, and no more messages at once than a domain takes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.channels.configured import channel_of
from orchestrator.channels.dkim import read_keys
from orchestrator.channels.smtp import SmtpChannel, SmtpOptions
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.core.verp import verp_id, verp_mark
from orchestrator.errors import UsageError
from tests.channels.contract import outgoing
from tests.channels.mail_server import mail_server, raw_server

SECRET = b"a secret for tests, of 32 bytes."


def recording(seen: list[bytes], *replies: bytes, at_the_end: bytes | None = None) -> Callable[[socket.socket], None]:
    """Says hello, and then each reply when something has come, which it notes; `at_the_end` of a message, whose last
    dot may come in a packet of its own."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.test\r\n")
        for reply in replies:
            came = connection.recv(65_536)
            if not came:
                return
            seen.append(came)
            connection.sendall(reply)
        if at_the_end is not None:
            came = b""
            while not came.endswith(b"\r\n.\r\n"):
                came += connection.recv(65_536) or b"\r\n.\r\n"
            connection.sendall(at_the_end)

    return talk


HELLO = b"250-mail.test\r\n250-PIPELINING\r\n250-DSN\r\n250 SIZE 1000000\r\n"


def test_commands_go_in_one_packet_and_a_bounce_is_asked_to_name_the_message() -> None:
    seen: list[bytes] = []
    fine = b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"
    with raw_server(recording(seen, HELLO, fine, at_the_end=b"250 2.0.0 OK queued as Q7\r\n")) as server:
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port, timeout=3.0))
        [answer] = channel.send([outgoing("e1+x.s.1")])
        channel.close()
    assert (answer.outcome, answer.reference) == ("accepted", "Q7")
    mail, to, data, end = seen[1].split(b"\r\n")
    assert mail.startswith(b"MAIL FROM:<hello@example.com> SIZE=") and mail.endswith(b"RET=HDRS ENVID=e1%2Bx.s.1")
    assert (to, data, end) == (b"RCPT TO:<ana@example.com> NOTIFY=FAILURE", b"DATA", b"")


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        (b"250 ok\r\n550 5.1.1 nobody\r\n354 go\r\n", "rejected"),  # it wants a message that nobody is to get
        (b"250 ok\r\n550 5.1.1 nobody\r\n503 no recipient\r\n", "rejected"),
        (b"550 5.7.1 not you\r\n503 first MAIL\r\n503 first RCPT\r\n", "rejected"),
        (b"250 ok\r\n550 5.1.1 nobody\r\n", "rejected"),  # and hangs up
        (b"250 ok\r\n450 4.2.1 busy\r\n503 none\r\n", "retry"),
        (b"421 4.3.2 shutting down\r\n", "retry"),
        (b"250 ok\r\n421 4.3.2 shutting down\r\n", "retry"),
        (b"250 ok\r\n250 ok\r\n451 4.3.0 disk full\r\n", "retry"),
        (b"250 ok\r\nwhat?\r\n354 go\r\n", "retry"),
        (b"250 ok\r\n", "retry"),  # and hangs up
        (b"", "retry"),
    ],
)
def test_no_byte_of_a_message_goes_that_was_not_asked_for(replies: bytes, outcome: str) -> None:
    seen: list[bytes] = []
    with raw_server(recording(seen, HELLO, replies)) as server:
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port, timeout=1.0))
        [answer] = channel.send([outgoing()])
        channel.close()
    assert answer.outcome == outcome, answer
    assert not any(b"Message-ID" in came for came in seen)


def test_a_domain_gets_no_more_at_once_than_it_takes() -> None:
    with mail_server() as server:
        server.pause = 0.05
        channel = channel_of(f"smtp://127.0.0.1:{server.port}?domains=example.com:2,*:3&width=8", base_dir=Path())
        answers = channel.send([outgoing(f"e{n}.s.1", to=f"u{n}@Example.com") for n in range(8)])
        assert ({answer.outcome for answer in answers}, server.busiest) == ({"accepted"}, 2)
        server.busiest = 0
        channel.send([outgoing(f"f{n}.s.1", to=f"u{n}@example.org") for n in range(8)])
        assert server.busiest == 3
        channel.close()


def test_who_waits_too_long_for_a_place_comes_again() -> None:
    with mail_server() as server:
        server.replies["DATA"] = "hang"
        options = SmtpOptions(width=2, domains={"example.com": 1})
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port, timeout=0.5), options)
        outcomes = sorted(answer.outcome for answer in channel.send([outgoing("a.s.1"), outgoing("b.s.1")]))
        channel.close()
    assert outcomes == ["retry", "unknown"]


def test_who_waits_for_a_place_is_handed_over_soon_or_not_at_all() -> None:
    """What is checked at the claim (an opt-out) is believed for two seconds; whoever waits longer is checked anew."""
    with mail_server() as server:
        server.pause = 0.6
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port), SmtpOptions(width=6, domains={"example.com": 1}))
        began = monotonic()
        answers = channel.send([outgoing(f"e{n}.s.1", to=f"u{n}@example.com") for n in range(6)])
        took = monotonic() - began
        channel.close()
    assert {answer.outcome for answer in answers} == {"accepted", "retry"}
    assert [answer.outcome for answer in answers].count("accepted") <= 3
    assert all(answer.after == 1.0 and not answer.down for answer in answers if answer.outcome == "retry")
    assert took < 2.0 + server.pause


def key_file(folder: Path) -> Path:
    path = folder / "dkim.pem"
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_a_message_arrives_signed_and_its_bounce_has_an_address_of_its_own(tmp_path: Path) -> None:
    key_file(tmp_path)
    record = read_keys("s1:dkim.pem", tmp_path)[0].record().encode()
    with mail_server() as server:
        url = f"smtp://127.0.0.1:{server.port}?dkim=s1:dkim.pem&bounces=bounce@b.example.com"
        channel = channel_of(url, base_dir=tmp_path)
        id = "0123456789abcdef.nudge.1"
        channel.send([outgoing(id, bounce_mark=verp_mark(SECRET, id), subject="您好", text=".\r\n..\r\n\r\n")])
        channel.close()
        assert verp_id(SECRET, str(server.envelopes[0].mail_from)) == id
        raw = server.envelopes[0].original_content
    assert raw is not None
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: {b"s1._domainkey.example.com.": record}.get(name))


@pytest.mark.parametrize(
    "option",
    ["dkim=s1", "dkim=s1:missing.pem", "dkim=s1:text.pem", "dkim=s 1:dkim.pem", "dkim=s1:dkim.pem,s1:dkim.pem",
     "dkim=s1:ec.pem", "domains=gmail.com", "domains=gmail.com:0", "domains=a.com:1,a.com:2", "domains=gmail:2"],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(tmp_path: Path, option: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    key_file(tmp_path)
    (tmp_path / "text.pem").write_text("no key")
    curve = generate_private_key(SECP256R1())
    (tmp_path / "ec.pem").write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match=option.partition("=")[0]):
        channel_of(f"smtp://127.0.0.1?{option}", base_dir=tmp_path)


def test_a_server_that_pipelines_is_used_again_after_a_refusal() -> None:
    with mail_server() as server:
        server.offers = ("PIPELINING",)
        server.replies["RCPT eve@example.com"] = "550 5.1.1 no such user"
        channel = SmtpChannel(SmtpServer("127.0.0.1", server.port, timeout=1.0), SmtpOptions(width=1))
        told = [channel.send([outgoing(f"{n}.s.1", to=to)])[0].outcome
                for n, to in enumerate(["ana@example.com", "eve@example.com", "li@example.com"])]  # fmt: skip
        channel.close()
        assert (told, len(server.sessions)) == (["accepted", "rejected", "accepted"], 1)
