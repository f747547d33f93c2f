"""What mails that came back say: reports, words of servers, complaints, auto-replies, and whatever else there is."""

from __future__ import annotations

import re
from email.header import Header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.bounces.classify import Reading, read_returned, verdict
from orchestrator.channels.bounces.reading import LARGEST
from orchestrator.channels.bounces.wordings import TABLE, verdict_of_status
from tests.channels.bounces.mails import ID, away, complaint, dsn, plain


def said(data: bytes) -> list[str]:
    return [one.said for one in read_returned(data).returned]


def test_a_report_names_recipient_code_words_and_message() -> None:
    reading = read_returned(dsn())
    assert reading.kind == "bounce"
    assert reading.message_ids == (ID,)
    assert reading.arrived_for == ("bounce@b.brand.example",)
    [one] = reading.returned
    assert (one.said, one.address, one.status) == ("hard", "ana@example.com", "5.1.1")
    assert "user unknown" in one.words


@pytest.mark.parametrize(
    ("action", "status", "words", "expected"),
    [
        ("failed", "5.1.1", "", "hard"),
        ("failed", "5.1.2", "", "hard"),
        ("failed", "5.1.10", "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "hard"),
        ("failed", "5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "hard"),
        ("failed", "5.2.2", "smtp; 552 5.2.2 mailbox full", "soft"),
        ("failed", "5.1.1", "smtp; 550 5.1.1 The email account is over quota", "soft"),
        ("failed", "4.4.7", "smtp; 450 4.4.7 delivery time expired", "soft"),
        ("failed", "5.7.1", "smtp; 550 5.7.1 Message blocked, see spamhaus.org", "block"),
        ("failed", "5.7.26", "smtp; 550-5.7.26 This mail is unauthenticated", "block"),
        ("failed", "5.1.1", "smtp; 550 5.1.1 Sender address rejected: not allowed to send", "block"),
        ("failed", "5.0.0", "smtp; 550 MI:SPB 163 mx1, mail content looks like spam", "block"),
        ("failed", "5.0.0", "smtp; 550 User not found: ana@163.com", "hard"),
        ("failed", "5.0.0", "", "soft"),
        ("failed", "4.0.0", "smtp; DNS Error: lookup of example.com: NXDOMAIN Domain name not found", "soft"),
        ("failed", "4.1.1", "smtp; 450 4.1.1 Recipient address rejected: User unknown", "hard"),
        ("failed", "5.4.4", "x-postfix; Name service error for domain example.com: Host not found, try again", "soft"),
        ("failed", "5.1.1", 'x-unix; procmail: Couldn\'t create "/var/spool/mail/ana" id: No such user', "soft"),
        ("failed", "5.1.0", "smtp; 5.1.0 - Unknown address error 550-'5.7.1 <a@b.example>... Access denied'", "block"),
        ("failed", "5.1.0", "smtp; 5.1.0 - Unknown address error 550-'5.1.1 User unknown'", "hard"),
        ("failed", "5.0.0", "smtp; 542 ana@example.com Rejected", "hard"),
        ("delayed", "4.4.1", "smtp; 451 connection timed out", "delayed"),
        ("delayed", "5.1.1", "smtp; 550 user unknown", "delayed"),
        ("delivered", "2.0.0", "", "delivered"),
        ("relayed", "2.1.5", "", "delivered"),
    ],
)
def test_action_code_and_words_decide(action: str, status: str, words: str, expected: str) -> None:
    assert said(dsn(action, status, words)) == [expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("<ana@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)", "hard"),
        ("<ana@example.com>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.2.2 over quota", "soft"),
        ("  ana@example.com\n    Unrouteable address", "hard"),
        ("  ana@example.com\n    host mx [192.0.2.1]: 554 Your IP is on a blacklist", "block"),
        ("ana@example.com\n收件人邮箱地址不存在，退信代码 550", "hard"),
        ("ana@example.com\n对方邮箱已满，无法投递", "soft"),
        ("ana@example.com\n您的邮件被判定为垃圾邮件", "block"),
        ("ana@example.com\nThe e-mail account does not exist at the organization", "hard"),
    ],
)
def test_words_of_servers_without_reports(words: str, expected: str) -> None:
    reading = read_returned(plain(words))
    assert [(one.said, one.address) for one in reading.returned] == [(expected, "ana@example.com")]
    assert reading.message_ids == (ID,)


def test_recipients_without_a_line_between_them_are_told_apart() -> None:
    second = (
        b"Final-Recipient: rfc822; ben@example.com\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 user unknown\n\n--b1\nContent-Type: text/rfc822-headers"
    )
    report = dsn("failed", "5.2.2", "smtp; 552 5.2.2 mailbox full")
    joined = report.replace(b"\n--b1\nContent-Type: text/rfc822-headers", second)
    assert {one.address: one.said for one in read_returned(joined).returned} == {
        "ana@example.com": "soft",
        "ben@example.com": "hard",
    }


def test_the_envelope_id_of_a_report_names_the_message() -> None:
    report = dsn(id="").replace(b"Reporting-MTA:", b"Original-Envelope-Id: e1+2Bx.s.1.mark\nReporting-MTA:")
    assert read_returned(report).message_ids[0] == "e1+x.s.1.mark"


def test_a_warning_is_no_bounce() -> None:
    warning = "This is a warning only, ana@example.com: delivery is delayed and will be retried until Monday."
    assert read_returned(plain(warning, "Warning: could not send message for past 4 hours")).kind == "delayed"


def test_several_recipients_are_told_apart() -> None:
    words = "<ana@example.com>:\n550 5.1.1 user unknown\n\n<ben@example.com>:\n552 5.2.2 mailbox full"
    assert {one.address: one.said for one in read_returned(plain(words)).returned} == {
        "ana@example.com": "hard",
        "ben@example.com": "soft",
    }


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out"])
def test_complaints(kind: str) -> None:
    reading = read_returned(complaint(kind))
    assert reading.kind == "complaint"
    assert reading.message_ids == (ID,)
    assert reading.returned[0].address == "ana@example.com"


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_reports_that_are_no_complaints(kind: str) -> None:
    assert read_returned(complaint(kind)).kind == "unknown"


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office", "Automatic reply: Hello", "Automatische Antwort: Hallo", "Abwesenheitsnotiz",
        "Réponse automatique : Bonjour", "Respuesta automática", "Resposta automática", "自动回复: 您好", "自動回覆",
        "Автоответ: Здравствуйте", "不在のお知らせ", "Automatisch antwoord",
    ],
)  # fmt: skip
def test_auto_replies_are_no_bounces(subject: str) -> None:
    encoded = Header(subject, "utf-8").encode()
    assert read_returned(away(encoded, "X-Nothing: 1")).kind == "auto_reply"


@pytest.mark.parametrize(
    ("sender", "way"),
    [
        ("Ana <ana@example.com>", "<bounces+12@sendgrid.net>"),
        ("ana@bouncefit.com", "<>"),
        ("Ana Postoffice <ana@postoffice.example>", "<ana@postoffice.example>"),
    ],
)
@pytest.mark.parametrize("words", ["Ana no longer works here.", "550 5.1.1 user unknown", "It was rejected: spam"])
def test_what_answers_for_a_person_is_no_bounce_whatever_way_it_came(sender: str, way: str, words: str) -> None:
    mail = away("Hello").decode().replace("Ana <ana@example.com>", f"{sender}\nReturn-Path: {way}")
    mail = mail.replace("I am away until Monday.", words)
    assert read_returned(mail.encode()).kind == "auto_reply"


def test_a_server_that_says_its_bounce_is_automatic_is_believed() -> None:
    data = plain("ana@example.com\n550 user unknown").replace(b"Subject:", b"Auto-Submitted: auto-replied\nSubject:")
    assert said(data) == ["hard"]


def test_a_header_tells_an_auto_reply_whatever_its_subject() -> None:
    assert read_returned(away("Re: Undelivered mail")).kind == "auto_reply"


def test_what_a_person_writes_is_unknown() -> None:
    letter = away("I love your shop", "X-Nothing: 1")
    assert read_returned(letter) == Reading("unknown", (), (ID,), ("bounce@b.brand.example",))


def test_raw_bytes_of_chinese_headers_are_read() -> None:
    data = plain("ana@example.com\n用户不存在").decode().replace("failure notice", "系统退信").encode("gb18030")
    assert said(data.replace(b"utf-8", b"gb18030")) == ["hard"]


def test_the_table_can_be_searched_and_names_its_sources() -> None:
    for row in TABLE:
        assert row.source and row.patterns
        for pattern in row.patterns:
            re.compile(pattern)
            assert pattern == pattern.lower() or "\\" in pattern, pattern
    assert verdict_of_status("5.7.509") == "block"
    assert verdict_of_status("4.2.2") == "soft"
    assert verdict_of_status("2.0.0") is None
    assert verdict(None, "it did not work") == "soft"


_pieces = st.sampled_from(
    [
        dsn(),
        complaint(),
        plain("user unknown"),
        away(),
        b"Content-Type: multipart/report; boundary=b1\n\n",
        b"--b1\n",
        b"Content-Type: message/delivery-status\n\n",
        b"Final-Recipient: rfc822;\n",
        b"=?utf-8?b?/////?=",
        b"Subject: =?utf-8?b?a?=\n",
        b"Subject: =?\xe9tf-8?q?a?=\n",
        b"To: =?utf-8?q?=?=\n",
        b'Content-Type: text/plain; charset="=?x?b?a?="\n\n',
        b"\n\n",
        b"<" * 900,
        b"Content-Type: message/rfc822\n\n",
        b"Content-Type: text/html; charset=nothing\n\n",
        b"Subject: " + b"\xff" * 50 + b"\n",
        b"Content-Transfer-Encoding: base64\n\n&&&&",
        b"From: \x00\n",
        b"-" * 900,
        b"a@" * 400,
        b"Status: 5.\n",
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    charset=st.sampled_from(["utf-8", "\xe9", "nothing", "", "gb2312", "unknown-8bit"]),
    way=st.sampled_from("bqBQx"),
    word=st.text(st.sampled_from("a=?/+_\xff"), max_size=6),
)
def test_no_encoded_word_stops_the_reading(charset: str, way: str, word: str) -> None:
    data = f"Subject: =?{charset}?{way}?{word}?=\n\nuser unknown".encode("latin-1")
    assert read_returned(data).kind in ("unknown", "bounce")


@settings(max_examples=150, deadline=None)
@given(st.lists(_pieces | st.binary(max_size=200), max_size=12))
def test_hostile_mails_never_raise(pieces: list[bytes]) -> None:
    reading = read_returned(b"".join(pieces))
    assert reading.kind in ("bounce", "delayed", "delivered", "complaint", "auto_reply", "unknown")
    assert all(len(one.words) <= 300 for one in reading.returned)


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 60_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3_000)),
        b"Subject: failure notice\nContent-Type: text/html\n\n" + b"<style " * 60_000,
        b"Subject: failure notice\n\n" + b"a" * LARGEST,
        b"Subject: failure notice\n\n" + b"user " * 100_000,
        b"Subject: failure notice\n\n" + b"-" * 300_000,
        *(
            b"Subject: failure notice\nContent-Type: " + kind + b"\n\n" + end * 500_000
            for kind in (b"text/plain", b"message/delivery-status", b"message/rfc822")
            for end in (b"\n", b"\r", b" \n", b"A: b\n\n")
        ),
        b"Subject: failure notice\n\n" + b"a\n" * 250_000,
        b"Subject: failure notice\n\n" + b"a\n\n" * 150_000,
        b"Subject: failure notice\n\n" + b"<a@b.c>\n" * 60_000,
        b"Subject: failure notice\n\n" + b" " * 500_000,
        b"X-Failed-Recipients: " + b"a@b.c," * 60_000 + b"\n\n",
        b"To: " + b"=?utf-8?q?=41" * 20_000 + b"\n\n",
        b"Content-Type: " + b";" * 500_000 + b"\n\n",
        b"Content-Type: text/plain" + b";\n a" * 19_000 + b"\n\n",
    ],
)  # fmt: skip
def test_nothing_takes_long(data: bytes) -> None:
    from time import thread_time

    began = thread_time()
    read_returned(data)
    assert thread_time() - began < 2.5
