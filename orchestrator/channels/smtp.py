"""E-mail over SMTP: connections are kept and used again, `width` of them at once, and every outcome is told apart.

Before the last dot of a message a lost connection means that it is certainly unsent; after it, nobody knows.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from orchestrator.channels.dkim import DkimKey, signed
from orchestrator.channels.domain_limits import DomainLimits
from orchestrator.channels.mime import Mime, build_mime
from orchestrator.channels.mime_headers import MimeRefused
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.smtp_session import CannotStart, SmtpSession
from orchestrator.channels.smtp_together import hand_over_together
from orchestrator.channels.smtp_wire import Clock, SmtpServer
from orchestrator.core.verp import verp_address
from orchestrator.records import dataclass

WIDTH: Final = 8
IDLE: Final = 60.0
"""Seconds after which an unused connection is not trusted any more."""
SLOW_START: Final = 1.5
"""Seconds: a message that waited longer for its connection, or for a place among those on their way to its domain, goes
back, so that it is looked at again before it goes: its reader may have opted out meanwhile."""


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How a channel uses its server. `default_sender` stands in where nobody names one; `bounces_to` is the mailbox
    that the envelope's sender is made of, instead of the message's. `dkim`: each of these keys signs every message.
    `domains`: how many messages at once may be on their way to the mailboxes of a domain; `*` stands for all others."""

    width: int = WIDTH
    rate: float | None = None
    default_sender: str | None = None
    bounces_to: str | None = None
    dkim: tuple[DkimKey, ...] = ()
    domains: Mapping[str, int] | None = None


class SmtpChannel:
    """Mail through one server. Safe for several threads."""

    idempotent = False  # a Message-ID is no key: a server takes the same message twice

    def __init__(self, server: SmtpServer, options: SmtpOptions | None = None, clock: Clock = monotonic) -> None:
        options = options or SmtpOptions()
        self.width = options.width
        self.rate = options.rate
        self._server = server
        self._options = options
        self._clock = clock
        self._idle: list[SmtpSession] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(options.width)
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False
        self._limits = DomainLimits(options.domains or {})

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Each over a connection of its own, `width` at once; a new one is made in a thread."""
        if len(messages) == 1 or self.width == 1:
            return [self._send_one(message, self._mail_of(message), self._deadline()) for message in messages]
        # For all from now on: a process that is frozen on the way to a thread has no time left when it wakes, and
        # sends nothing that another one may have taken over.
        deadline = self._deadline()
        # Made here, one after another: threads that compute at once take turns all the time, and twice as long.
        mails = [self._mail_of(message) for message in messages]
        rides: list[tuple[int, SmtpSession, Mime]] = []
        apart: dict[int, Future[Answer]] = {}

        def alone(place: int) -> None:
            apart[place] = self._pool().submit(self._send_one, messages[place], mails[place], deadline)

        for place, mail in enumerate(mails):
            if isinstance(mail, Answer) or (session := self._open_one()) is None:
                alone(place)
            else:
                rides.append((place, session, mail))
        answers: dict[int, Answer] = {}
        taken = hand_over_together([ride[1:] for ride in rides], deadline, self._clock)
        for (place, session, _), answer in zip(rides, taken, strict=True):
            self._give_back(session)
            self._places.release()
            if answer is None:  # its connection was gone
                alone(place)
            else:
                answers[place] = answer
        return [answers[place] if place in answers else apart[place].result() for place in range(len(mails))]

    def _open_one(self) -> SmtpSession | None:
        """A connection that is open, with a place among the `width`; None: there is none just now."""
        if self._options.domains or not self._places.acquire(blocking=False):
            return None
        session = self._take_idle()
        if session is None:
            self._places.release()
        return session

    def _deadline(self) -> float:
        return self._clock() + self._server.timeout

    def check(self) -> Answer:
        """Connect, secure, log in, and say goodbye: accepted where all of that goes well. Nothing is sent."""
        try:
            SmtpSession(self._server, self._clock, self._deadline()).quit()
        except CannotStart as error:
            return error.answer
        return Answer("accepted")

    def close(self) -> None:
        """Say goodbye on every connection."""
        with self._lock:
            self._closed = True
            threads, self._threads = self._threads, None
            idle, self._idle = self._idle, []
        if threads is not None:
            threads.shutdown(wait=True)
        for session in idle:
            session.quit()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.width, thread_name_prefix="smtp")
            return self._threads

    def _mail_of(self, out: Outgoing) -> Mime | Answer:
        """The message as it goes over the wire, or why it does not."""
        try:
            return self._mail(out)
        except MimeRefused as error:
            return Answer("rejected" if error.for_good else "retry", str(error))

    def _send_one(self, out: Outgoing, mail: Mime | Answer, deadline: float) -> Answer:
        if isinstance(mail, Answer):
            return mail
        began_at = deadline - self._server.timeout
        soon = min(began_at + SLOW_START, deadline)
        with self._limits.place(out.to, soon - self._clock()) as free:
            if not free:
                return Answer("retry", "as many messages as may be are on their way to its domain", after=1.0)
            try:
                if not self._places.acquire(timeout=max(0.0, soon - self._clock())):
                    return Answer("retry", "every connection to the mail server is in use", after=1.0)
                try:
                    return self._hand_over(mail, began_at, deadline)
                finally:
                    self._places.release()
            except Exception as error:  # our bug, or a library's: what became of the message is not known
                return Answer("unknown", f"{type(error).__name__}: {error}")

    def _mail(self, out: Outgoing) -> Mime:
        """The message as it goes over the wire. Raises MimeRefused."""
        options, now = self._options, datetime.now(UTC)
        mail = build_mime(out, options.default_sender, now)
        if options.dkim:
            at = int((out.at or now).timestamp())
            mail = mail._replace(data=signed(mail.data, mail.sender.rpartition("@")[2], options.dkim, at))
        if options.bounces_to is None:
            return mail
        if out.bounce_mark is None:
            return mail._replace(sender=options.bounces_to)
        return mail._replace(sender=verp_address(out.bounce_mark, out.id, options.bounces_to))

    def _hand_over(self, mail: Mime, began_at: float, deadline: float) -> Answer:
        while (session := self._take_idle()) is not None:
            answer = session.hand_over(mail, deadline)
            self._give_back(session)
            if answer is not None:
                return answer
        try:
            session = SmtpSession(self._server, self._clock, deadline)
        except CannotStart as refused:
            return refused.answer
        took = self._clock() - began_at
        if took > SLOW_START:
            self._give_back(session)
            return Answer("retry", f"it took {took:.1f} s until the mail server said hello", after=1.0)
        answer = session.hand_over(mail, deadline)
        self._give_back(session)
        return answer or Answer("retry", "the mail server closed the connection", down=True)

    def _take_idle(self) -> SmtpSession | None:
        """The connection that was used last, as far as it can still be trusted."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                session = self._idle.pop()
            if session.open and self._clock() - session.used_at < IDLE:
                return session
            session.close()

    def _give_back(self, session: SmtpSession) -> None:
        if not session.open:
            return
        with self._lock:
            if not self._closed and len(self._idle) < self.width:
                self._idle.append(session)
                return
        session.quit()
