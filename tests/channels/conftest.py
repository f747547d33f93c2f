"""The outside of HTTP calls, on the loopback interface or in a pair of sockets: servers that answer byte for byte."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.channels.http_caller import HttpCaller
from orchestrator.channels.net_rules import Address
from orchestrator.core.ledger import Request

PUBLIC = IPv4Address("93.184.215.14")

Handler = Callable[[socket.socket], None]


@pytest.fixture(scope="session")
def request_of() -> Callable[..., Request]:
    """``request_of(url, kind='fetch', ...)``: a request with all fields that the test does not care about."""

    def made(url: str, kind: Any = "fetch", **fields: Any) -> Request:
        defaults: dict[str, Any] = {
            "id": "e1.call.1",
            "customer_id": "u1",
            "enrollment_id": "e1",
            "step": "call",
            "visit": 1,
            "kind": kind,
            "method": "GET" if kind == "fetch" else "POST",
            "url": url,
            "headers": {},
            "body": None,
            "timeout": timedelta(seconds=5),
            "cache": None,
            "at": datetime(2026, 3, 1, tzinfo=UTC),
        }
        return Request(**{**defaults, **fields})

    return made


class Answering:
    """A caller whose every connection ends in a pair of sockets where `answer` lies ready, then the end."""

    def __init__(self, answer: bytes, ends: bool = True, **options: Any) -> None:
        self.answer = answer
        self.ends = ends
        self.dialled: list[tuple[Address, int]] = []
        self._theirs: list[socket.socket] = []
        self.caller = HttpCaller(resolve=lambda host, port: [str(PUBLIC)], dialled=self._dial, **options)

    def _dial(self, address: Address, port: int, seconds: float) -> socket.socket:
        self.dialled.append((address, port))
        ours, theirs = socket.socketpair()
        self._theirs.append(theirs)
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def _serve(self, theirs: socket.socket) -> None:
        with suppress(OSError):
            theirs.sendall(self.answer)
            if self.ends:
                theirs.shutdown(socket.SHUT_WR)

    def sent(self) -> bytes:
        """What the last call sent."""
        theirs = self._theirs[-1]
        theirs.settimeout(1)
        out = b""
        with suppress(OSError):
            while piece := theirs.recv(65536):
                out += piece
        return out

    def close(self) -> None:
        """Give back the sockets."""
        for theirs in self._theirs:
            theirs.close()


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    """``answering(b'HTTP/1.1 ...')``: see Answering."""
    made: list[Answering] = []

    def make(answer: bytes, ends: bool = True, **options: Any) -> Answering:
        made.append(Answering(answer, ends, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], int]]:
    """``serve(handler)`` -> the port of a server on 127.0.0.1 that gives every connection to the handler."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(handler: Handler) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(10)
                handler(connection)

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=one, args=(connection,), daemon=True)
                threads.append(thread)
                thread.start()

        acceptor = threading.Thread(target=loop, daemon=True)
        threads.append(acceptor)
        acceptor.start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


class Authority:
    """A certificate authority of the test's own. `trusted` is a client that knows no other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        certificate = self._signed(self._name, self._key, [], True)
        self.trusted = ssl.create_default_context(
            cadata=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        )

    def server(self, *names: str, days: int = 30) -> ssl.SSLContext:
        """What a server for these names shows; `days` below 0: it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._signed(subject, key, list(names), False, days)
        path = self._folder / f"{names[0]}{days}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(self, subject: x509.Name, key: Any, names: list[str], ca: bool, days: int = 30) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """See Authority."""
    return Authority(tmp_path_factory.mktemp("certificates"))
