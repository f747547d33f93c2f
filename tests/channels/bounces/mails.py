"""Mails as servers send them back, written for these tests after the forms of each of them."""

from __future__ import annotations

ID = "767fcc93cd7a2d7a.email_1.1"


def returned(to: str = "ana@example.com", id: str = ID) -> str:
    """The head of a mail of ours, as it comes back."""
    return (
        f"From: shop@brand.example\nTo: {to}\nSubject: Hello\nMessage-ID: <{id}@brand.example>\n"
        f"X-Orchestrator-Message: {id}\n"
    )


def dsn(
    action: str = "failed",
    status: str = "5.1.1",
    words: str = "smtp; 550 5.1.1 <ana@example.com>: user unknown",
    to: str = "ana@example.com",
    id: str = ID,
    arrived_for: str = "bounce@b.brand.example",
) -> bytes:
    """A report of RFC 3464 with the head of the mail."""
    return f"""From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {arrived_for}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=utf-8

This is the mail system at host mx.example.com. Your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Diagnostic-Code: {words}

--b1
Content-Type: text/rfc822-headers

{returned(to, id)}
--b1--
""".encode()


def plain(
    words: str, subject: str = "failure notice", sender: str = "MAILER-DAEMON@mx.example.com", id: str = ID
) -> bytes:
    """A bounce without a report, with the mail behind its words."""
    return f"""From: {sender}
To: bounce@b.brand.example
Subject: {subject}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{words}

--- Below this line is a copy of the message.

{returned(id=id)}
""".encode()


def complaint(kind: str = "abuse", id: str = ID) -> bytes:
    """A report of RFC 5965."""
    return f"""From: feedback@mailbox.example
To: fbl@brand.example
Subject: FW: Hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an email abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Mailbox/1.0
Version: 1
Original-Rcpt-To: ana@example.com

--b2
Content-Type: message/rfc822

{returned(id=id)}Content-Type: text/plain

Hello.

--b2--
""".encode()


def away(subject: str = "Out of office: Hello", header: str = "Auto-Submitted: auto-replied") -> bytes:
    """What a reader's program answers."""
    return f"""From: Ana <ana@example.com>
To: bounce@b.brand.example
Subject: {subject}
{header}
Content-Type: text/plain; charset=utf-8

I am away until Monday. Undelivered things can wait.

> {returned()}
""".encode()
