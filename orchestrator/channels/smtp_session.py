"""One connection to a mail server, and one message over it.

It tells what smtplib cannot: whether a message was lost before its last dot (certainly unsent) or after it (unknown).
And its hand-over stops wherever an answer is awaited, so that one thread can have many on their way.
"""

from __future__ import annotations

import smtplib
from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

from orchestrator.channels.mime import Mime
from orchestrator.channels.protocol import Answer
from orchestrator.channels.smtp_reply import Stage, accepted, answer_of, reply_of
from orchestrator.channels.smtp_wire import Clock, SmtpServer, TimelyClient

LONGEST_ENVID: Final = 90
"""Characters of an id that a DSN brings back; RFC 3461, section 4.4, allows 100 with what is escaped."""
_TAKEN: Final = (250, 251, 252)
"""What a server says of a recipient that it takes."""
_ANSWERS: Final[tuple[tuple[tuple[int, ...], Stage], ...]] = (
    ((250,), "sender"),
    (_TAKEN, "recipient"),
    ((354,), "sender"),
)
"""What MAIL, RCPT and DATA are answered when all is well."""


Given = TypeVar("Given")
Steps: TypeAlias = Generator[None, None, Given]
"""What stops before each wait for an answer of the server, and gives a value at its end."""


class CannotStart(Exception):
    """No connection that messages can go over; nothing was handed over. `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.reason)


class SmtpSession:
    """An open connection, logged in. Not for several threads. `used_at` is when a message last went over it."""

    def __init__(self, server: SmtpServer, clock: Clock, deadline: float) -> None:
        """Connect, greet, secure, log in. Raises CannotStart."""
        self._server = server
        self._clock = clock
        self._dirty = False
        self._proven = False
        self.sending = False
        """Whether the message that is being handed over is on the wire, and not only offered."""
        self.used_at = clock()
        try:
            self._client = TimelyClient(server, clock, min(deadline, clock() + server.connect_timeout))
        except smtplib.SMTPConnectError as error:
            raise CannotStart(answer_of(reply_of(error.smtp_code, error.smtp_error), "hello")) from None
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise CannotStart(_no_connection(server, error)) from None
        try:
            self._open()
        except CannotStart:
            self.close()
            raise
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self.close()
            raise CannotStart(_no_connection(server, error)) from None

    def _open(self) -> None:
        client, server = self._client, self._server
        self._greet()
        if server.tls in ("require", "prefer"):
            if client.has_extn("starttls"):
                refused = client.secure()
                if refused is not None and (server.tls == "require" or client.sock is None):
                    raise CannotStart(answer_of(refused, "hello"))
                if refused is None:
                    self._greet()
            elif server.tls == "require":
                why = f"the mail server {server.host} offers no STARTTLS; add ?starttls=no to talk to it unencrypted"
                raise CannotStart(Answer("retry", why, down=True))
        if server.user is None:
            return
        try:
            client.login(server.user, server.password or "")
        except smtplib.SMTPAuthenticationError as error:
            said = reply_of(error.smtp_code, error.smtp_error)
            why = f"the mail server does not let '{server.user}' in; check the user name and the password: {said}"
            raise CannotStart(Answer("retry", why, down=True)) from None
        except smtplib.SMTPNotSupportedError:
            why = f"the mail server {server.host} offers no log-in here; it may want TLS first, or no user name"
            raise CannotStart(Answer("retry", why, down=True)) from None

    def _greet(self) -> None:
        code, text = self._client.ehlo()
        if not 200 <= code < 300:
            code, text = self._client.helo()
        if not 200 <= code < 300:
            raise CannotStart(answer_of(reply_of(code, text), "hello"))

    def hand_over(self, mail: Mime, deadline: float) -> Answer | None:
        """One message. None: the connection was gone before anything was handed over; a new one may do."""
        steps = self.handing_over(mail, deadline)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                answer: Answer | None = done.value
                return answer

    def handing_over(self, mail: Mime, deadline: float) -> Steps[Answer | None]:
        """The same, in steps."""
        client = self._client
        client.deadline = deadline
        self.sending = False
        self.used_at = self._clock()
        options = [f"SIZE={len(mail.data)}"] if client.has_extn("size") else []
        if client.has_extn("dsn"):
            options.append("RET=HDRS")
            if len(mail.id) <= LONGEST_ENVID and mail.id.isascii():
                options.append(f"ENVID={_xtext(mail.id)}")
        if mail.utf8:
            if not client.has_extn("smtputf8"):
                return Answer("rejected", "the mail server takes no addresses with letters beyond ASCII (SMTPUTF8)")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            answer = yield from self._offer(mail, options)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self.close()
            if self._proven and not isinstance(error, TimeoutError):
                return None
            return Answer("retry", f"the connection was lost before the message was handed over: {error}", down=True)
        self._proven = True
        if answer is None:
            answer = yield from self._finish()
            self.used_at = self._clock()
        elif answer.down:
            self.close()
        else:
            self._dirty = True
        return answer

    def _offer(self, mail: Mime, options: list[str]) -> Steps[Answer | None]:
        """All but the last dot: whatever goes wrong here, the message is certainly unsent. None: all went well."""
        client = self._client
        if client.has_extn("pipelining"):
            refused = yield from self._offer_at_once(mail, options)
        else:
            refused = yield from self._offer_in_turn(mail, options)
        if refused is None:
            self.sending = True
            client.send(dotted(mail.data))
        return refused

    def _commands(self, mail: Mime, options: list[str]) -> list[bytes]:
        """What offers a message, each with its line break."""
        begin = f"MAIL FROM:<{mail.sender}>" + "".join(f" {option}" for option in options)
        to = f"RCPT TO:<{mail.to}>" + "".join(f" {option}" for option in self._recipient_options())
        commands = ["RSET", begin, to, "DATA"] if self._dirty else [begin, to, "DATA"]
        return [f"{command}\r\n".encode("utf-8" if mail.utf8 else "ascii") for command in commands]

    def _offer_in_turn(self, mail: Mime, options: list[str]) -> Steps[Answer | None]:
        """Each command when the one before it was answered."""
        client, commands = self._client, self._commands(mail, options)
        if self._dirty:
            client.send(commands.pop(0))
            yield
            self._begun_anew(client.getreply()[0])
        for command, (fine, stage) in zip(commands, _ANSWERS, strict=True):
            client.send(command)
            yield
            code, text = client.getreply()
            if code not in fine:
                return self._refused(code, text, stage)
        return None

    def _offer_at_once(self, mail: Mime, options: list[str]) -> Steps[Answer | None]:
        """All commands in one go (RFC 2920), and then all answers: one way there and back instead of three."""
        client, dirty = self._client, self._dirty
        client.send(b"".join(self._commands(mail, options)))
        if dirty:
            yield
            self._begun_anew(client.getreply()[0])
        refused: tuple[int, bytes, Stage] | None = None
        for fine, stage in _ANSWERS:
            if not client.heard:
                yield
            try:
                code, text = client.getreply()
            except (OSError, smtplib.SMTPException):
                if refused is None:
                    raise
                self.close()  # it said no, and hung up
                break
            if code not in fine:
                refused = refused or (code, text, stage)
                if code == 421 or code < 0:  # nothing more comes, or nothing that can be told apart
                    self.close()
                    break
            elif code == 354 and refused is not None:
                # It waits for a message that must not come. It has no byte of it, so that it is certainly unsent.
                self.close()
        return None if refused is None else self._refused(*refused)

    def _begun_anew(self, code: int) -> None:
        if code != 250:
            raise smtplib.SMTPServerDisconnected("the mail server does not begin anew")
        self._dirty = False

    def _recipient_options(self) -> list[str]:
        """Only of what went wrong we want to hear."""
        return ["NOTIFY=FAILURE"] if self._client.has_extn("dsn") else []

    def _refused(self, code: int, text: bytes, stage: Stage) -> Answer:
        """A connection that served before may only have reached its end; one that did not has told us something."""
        if code == 421 and self._proven:
            raise smtplib.SMTPServerDisconnected("the mail server ends the connection")
        return answer_of(reply_of(code, text), stage)

    def _finish(self) -> Steps[Answer]:
        """The last dot, after which the server may have the message whatever happens."""
        client = self._client
        try:
            client.send(b".\r\n")
            yield
            code, text = client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return Answer("unknown", f"the connection was lost after the message was handed over: {error}")
        reply = reply_of(code, text)
        if 200 <= code < 300:
            return accepted(reply)
        if not 400 <= code < 600:
            self.close()
        answer = answer_of(reply, "message")
        if answer.down:
            self.close()
        self._dirty = True
        return answer

    def fileno(self) -> int:
        """What to listen to for the server's answers; -1: it is closed."""
        return self._client.sock.fileno() if self._client.sock is not None else -1

    @property
    def open(self) -> bool:
        """Whether another message can be tried over it."""
        return self._client.sock is not None

    def quit(self) -> None:
        """Say goodbye, and close."""
        try:
            if self.open:
                self._client.deadline = self._clock() + 1.0
                self._client.docmd("QUIT")
        except (OSError, smtplib.SMTPException):
            pass
        self.close()

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def dotted(data: bytes) -> bytes:
    """A point more before every line that begins with one (RFC 5321, section 4.5.2)."""
    data = data.replace(b"\n.", b"\n..")
    return b"." + data if data.startswith(b".") else data


def _xtext(id: str) -> str:
    """As RFC 3461, section 4, wants it: + and = stand in it as +2B and +3D."""
    return id.replace("+", "+2B").replace("=", "+3D")


def _no_connection(server: SmtpServer, error: Exception) -> Answer:
    why = f"no connection to the mail server {server.host}:{server.port}: {error or type(error).__name__}"
    return Answer("retry", why[:500], down=True)
