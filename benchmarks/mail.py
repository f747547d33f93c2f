"""Mails a second: rendered each for its own recipient, with tracked links, and handed to a mail server on this machine.

    python -m benchmarks.mail [MAILS] [SENDERS]

The server is a sink in a process of its own that reads every byte and says yes; each sender is a process with one
channel of eight connections. Prints the cost of rendering one mail, and how many went a second without a signature and
with one of RSA-2048, with the processor time of each: on a machine that does other things, that is what to look at.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Outgoing
from orchestrator.core.ledger import Message
from orchestrator.core.project import Project, Topic, Tracking, Utm
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.templating.loading import load_template_files

AT: Final = datetime(2026, 3, 2, 10, tzinfo=UTC)
WIDTH: Final = 8
_PRODUCT: Final = """
<mj-section><mj-column width="40%"><mj-image src="https://cdn.example.com/{{ p.sku }}.jpg" alt="{{ p.name }}" />
</mj-column><mj-column width="60%"><mj-text font-size="18px">{{ p.name }}</mj-text>
<mj-text>{{ p.price | money('EUR') }}</mj-text>
<mj-button href="https://shop.example.com/p/{{ p.sku }}?ref=mail">See it</mj-button></mj-column></mj-section>"""
TEMPLATE: Final = f"""---
subject: "{{{{ customer.first_name }}}}, your basket is waiting"
preheader: Two minutes and it is yours
---
<mjml><mj-body><mj-section><mj-column><mj-image src="https://cdn.example.com/logo.png" alt="Harbour" />
<mj-text font-size="24px">Hello {{{{ customer.first_name }}}},</mj-text>
<mj-text>You left these in your basket on {{{{ entry.day }}}}. They are kept for you until tomorrow.</mj-text>
</mj-column></mj-section>
<mj-raw>{{% for p in entry.items %}}</mj-raw>{_PRODUCT}<mj-raw>{{% endfor %}}</mj-raw>
<mj-section><mj-column>
<mj-button href="https://shop.example.com/basket?id={{{{ entry.cart }}}}">To the basket</mj-button>
<mj-text><a href="https://shop.example.com/help">Help</a> · <a href="{{{{ unsubscribe_url }}}}">Unsubscribe</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""


def renderer() -> tuple[LedgerRenderer, Any]:
    """A renderer with tracking on, and the template."""
    library = load_template_files({"email/basket.mjml": TEMPLATE})
    if library.problems:
        raise SystemExit("\n".join(problem.headline() for problem in library.problems))
    project = Project(
        timezone=ZoneInfo("UTC"),
        brand={"name": "Harbour", "url": "https://example.com", "address": "1 Harbour Road, Lisbon"},
        topics={"promotions": Topic("promotions", "promotional")},
        channels={"email": {"from": "Harbour <hello@example.com>"}},
        tracking=Tracking(True, True, Utm("news", domains=("example.com",))),
    )
    return LedgerRenderer(library, project, "https://m.example.com", b"x" * 32), library.variants()[0]


def row(variant: Any, number: int) -> Message:
    """A row of its own for each recipient."""
    items = [{"sku": f"A{number % 977}-{n}", "name": f"Lamp {number} no. {n}", "price": 19.9 + n} for n in range(4)]
    known = {
        "customer.first_name": f"Ana {number}",
        "entry.day": "2026-03-01",
        "entry.items": items,
        "entry.cart": f"c{number}",
    }
    values = {key: known[key] for key, _ in variant.uses}
    id = f"{number:016x}.first.1"
    return Message(
        id, f"u{number}", id[:16], "abandoned_cart", "v", "k", "first", 1, "email", "promotions", "promotional",
        "basket",
        variant.content_hash, None, f"u{number}@example.org", values, AT, AT, number,
    )  # fmt: skip


def outgoing_of(made: LedgerRenderer, row_: Message) -> Outgoing:
    """The message as delivery makes it."""
    rendered = made.render(row_)
    text, html, files, mark = made.dress(row_, rendered)
    return Outgoing(
        row_.id, "email", row_.to, rendered.subject, text, html, rendered.from_, rendered.reply_to, None,
        made.unsubscribe_url(row_), AT, row_.journey, row_.topic, row_.klass, row_.locale, None, files, mark,
    )  # fmt: skip


def render_cost(mails: int = 500) -> dict[str, float]:
    """Milliseconds of processor time for one mail: rendered, and with all that is done at hand-over."""
    made, variant = renderer()
    rows = [row(variant, number) for number in range(mails)]
    made.render(rows[0])
    best = {"render_ms": 1e9, "render_and_dress_ms": 1e9}
    for _ in range(3):
        began = time.thread_time()
        for each in rows:
            made.render(each)
        best["render_ms"] = min(best["render_ms"], (time.thread_time() - began) / mails * 1e3)
        began = time.thread_time()
        for each in rows:
            outgoing_of(made, each)
        best["render_and_dress_ms"] = min(best["render_and_dress_ms"], (time.thread_time() - began) / mails * 1e3)
    return {**best, "html_kb": len(made.render(rows[0]).html or "") / 1024}


class Sink(asyncio.Protocol):
    """A mail server that takes everything, and pipelines."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says hello."""
        out: Any = transport
        self.out = out
        self.unread, self.inside = b"", False
        self.out.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answers each command, and each message at its end."""
        self.unread += data
        answers = []
        while True:
            if self.inside:
                end = self.unread.find(b"\r\n.\r\n")
                if end < 0:
                    break
                self.unread, self.inside = self.unread[end + 5 :], False
                answers.append(b"250 2.0.0 OK\r\n")
                continue
            line, found, rest = self.unread.partition(b"\r\n")
            if not found:
                break
            self.unread = rest
            word = line[:4].upper()
            self.inside = word == b"DATA"
            known = {b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 SIZE 30000000\r\n", b"DATA": b"354 go\r\n"}
            answers.append(known.get(word, b"250 2.0.0 ok\r\n"))
        self.out.write(b"".join(answers))


def serve(ports: Any) -> None:
    """The sink's process."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def send(port: int, first: int, mails: int, options: str, folder: str, start: Any, done: Any) -> None:
    """A sender's process: renders and hands over `mails` messages in groups, as delivery does."""
    made, variant = renderer()
    made.render(row(variant, 0))
    channel = channel_of(f"smtp://127.0.0.1:{port}?width={WIDTH}{options}", base_dir=Path(folder))
    start.wait()
    began, used, accepted = time.perf_counter(), time.process_time(), 0
    for place in range(first, first + mails, WIDTH):
        group = [outgoing_of(made, row(variant, number)) for number in range(place, min(place + WIDTH, first + mails))]
        accepted += sum(answer.outcome == "accepted" for answer in channel.send(group))
    done.put((accepted, time.perf_counter() - began, time.process_time() - used))
    channel.close()


def throughput(mails: int, senders: int, options: str = "", folder: str = ".") -> tuple[float, float]:
    """Mails a second, all senders together, and milliseconds of a sender's processor time for each."""
    context = multiprocessing.get_context("spawn")
    ports, done, start = context.Queue(), context.Queue(), context.Event()
    sink = context.Process(target=serve, args=(ports,), daemon=True)
    sink.start()
    port, share = ports.get(timeout=30), mails // senders
    running = [
        context.Process(target=send, args=(port, 1 + n * share, share, options, folder, start, done), daemon=True)
        for n in range(senders)
    ]
    for process in running:
        process.start()
    time.sleep(3)  # each imports and compiles
    start.set()
    told = [done.get(timeout=110) for _ in running]
    for process in running:
        process.join()
    sink.terminate()
    sink.join()
    sent = share * senders
    if sum(accepted for accepted, _, _ in told) != sent:
        raise SystemExit("the sink did not take all of them")
    return round(sent / max(seconds for _, seconds, _ in told)), round(sum(cpu for _, _, cpu in told) / sent * 1e3, 3)


def main(mails: int = 4_000, senders: int = 2) -> None:
    """Print the figures as JSON."""
    figures: dict[str, Any] = {name: round(value, 3) for name, value in render_cost().items()}
    with TemporaryDirectory() as folder:
        key = generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (Path(folder) / "dkim.pem").write_bytes(pem)
        for name, options in (("", ""), ("signed_", "&dkim=m:dkim.pem")):
            rate, cost = throughput(mails, senders, options, folder)
            figures |= {f"{name}mails_per_second": rate, f"{name}sender_ms": cost}
    print(json.dumps({**figures, "mails": mails, "senders": senders, "load": os.getloadavg()}))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
