"""`orchestrator channels`: do providers know us, do domains let us send, do links lead somewhere; bounces by hand."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Style, Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.settings import Settings

DESCRIPTION = """`check` looks at what a message needs to arrive: whether each provider knows our credentials (an SMTP
login without a mail, a cheap request to an API), what the DNS says of the sender's domain (SPF and its look-ups, the
DKIM key against the private one, DMARC and its alignment, MX of replies and bounces), and whether the links in messages
are answered over TLS. Nothing is sent, unless --send-to names a seed address. Exits 1 where something is bad.
`bounces` reads the mailbox of ORCHESTRATOR_BOUNCE_URL once, as a running engine does by itself."""
EXAMPLES = """
orchestrator channels check
orchestrator channels check email --send-to seed@example.com
orchestrator channels check --json
orchestrator channels bounces
"""
CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
_COLOURS: dict[str, Style] = {"ok": "green", "warn": "yellow", "bad": "red"}
SUBJECT = "A test of this channel"
TEXT = "This is a test of orchestrator channels check. It went to a seed address, and to nobody else."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """check [CHANNEL], bounces."""
    parser.add_argument("action", metavar="check|bounces", type=one_of("check", "bounces"), help="what to do")
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", type=one_of(*CHANNELS), help="only this one")
    parser.add_argument("--send-to", metavar="SEED", help="send a test to this seed address, too")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Checks, or reads bounces."""
    if args.action == "bounces":
        if args.channel or args.send_to:
            raise UsageError("`channels bounces` takes no other words", "no_channel")
        return _read_bounces(args, terminal)
    return _check(args, terminal)


def _check(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.channels.dns_records import SystemResolver
    from orchestrator.wiring.channel_checks import check_channels, visit
    from orchestrator.wiring.installation import real_now, settings_of

    settings = settings_of(args.database, args.broker)
    options = _channel_options(args.project)
    seed = _seed(args, settings, options)
    findings = []
    for finding in check_channels(settings, args.project, options, SystemResolver(), visit, real_now(), args.channel):
        findings.append(finding)
        mark = terminal.paint(f"{finding.state:<4}", _COLOURS[finding.state])
        terminal.say(f"{mark} {finding.about} {finding.what}: {finding.words}")
        if finding.todo is not None:
            terminal.say(f"     {terminal.paint(finding.todo, 'dim')}")
    sent = _send(args, settings, options, *seed, terminal) if seed is not None else None
    counts = Counter(finding.state for finding in findings)
    terminal.data({"ok": not counts["bad"], "findings": [finding._asdict() for finding in findings], "sent": sent})
    told = f"{number_of(counts['bad'], 'thing')} to mend, {counts['warn']} to know"
    terminal.say(f"\n{told}" if counts["bad"] or counts["warn"] else "\nnothing is wrong")
    return 1 if counts["bad"] else 0


def _seed(args: argparse.Namespace, settings: Settings, options: dict[str, dict[str, Any]]) -> tuple[str, str] | None:
    """(channel, address) of a test send. Raises UsageError for an address that is no seed."""
    if args.send_to is None:
        return None
    from orchestrator.channels.seed_only import normal
    from orchestrator.core.addresses import stored_address

    channel = args.channel or ("sms" if args.send_to.startswith("+") else "email")
    known = [*settings.seed_addresses, *(seed for given in options.values() for seed in _listed(given.get("seeds")))]
    if normal(args.send_to) not in {normal(seed) for seed in known}:
        hint = f"seeds are {', '.join(known[:5])}" if known else "there are none; set ORCHESTRATOR_SEEDS"
        raise UsageError(f"{args.send_to} is no seed address, and tests go to no others; {hint}", "no_seed")
    address = stored_address(channel, args.send_to, None)
    if address is None:
        raise UsageError(f"'{args.send_to[:80]}' is no address on {channel}", "bad_address")
    return channel, address.text


def _send(
    args: argparse.Namespace,
    settings: Settings,
    options: dict[str, dict[str, Any]],
    channel: str,
    seed: str,
    terminal: Terminal,
) -> str:
    from orchestrator.channels.protocol import Outgoing
    from orchestrator.wiring.installation import real_now
    from orchestrator.wiring.seeds import send_to_seed

    sender = options.get(channel, {}).get("from")
    message = Outgoing(
        "seed",
        channel,
        seed,
        SUBJECT if channel == "email" else None,
        TEXT,
        sender=str(sender) if sender else None,
        at=real_now(),
    )
    said = send_to_seed(settings, args.project, message)
    terminal.say(said)
    return said


def _channel_options(project: Path) -> dict[str, dict[str, Any]]:
    """`channels` of project.yaml; nothing where there is no project that can be read."""
    if not (project / "journeys").is_dir():
        return {}
    from orchestrator.definitions.load import load_project

    loaded = load_project(project)
    return {name: dict(given) for name, given in loaded.project.channels.items()} if loaded.project is not None else {}


def _listed(given: Any) -> list[str]:
    return [str(one) for one in given] if isinstance(given, (list, tuple)) else [str(given)] if given else []


def _read_bounces(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.channels.bounces.mailbox import MailboxFailed
    from orchestrator.runtime.bounces import BounceCounts
    from orchestrator.wiring.bounces import bounce_place, read_place
    from orchestrator.wiring.installation import installation
    from orchestrator.wiring.secret_key import secret_of

    with installation(args.project, args.database, args.broker) as place:
        mailbox = bounce_place(place.settings, args.project)
        if mailbox is None:
            raise UsageError("there is no mailbox of bounces; set ORCHESTRATOR_BOUNCE_URL", "no_mailbox")
        place.adopt()
        secret, total = secret_of(place.settings, place.database.path), BounceCounts()
        try:
            while (done := read_place(place.store, mailbox, secret, place.journey_now())).mails:
                total = BounceCounts(*(a + b for a, b in zip(total, done, strict=True)))
        except MailboxFailed as error:
            raise UsageError(str(error), "mailbox_failed") from None
    terminal.data(total._asdict())
    terminal.say(f"{number_of(total.mails, 'mail')} read from {mailbox.shown}")
    for word, count in zip(BounceCounts._fields[1:], total[1:], strict=True):
        if count:
            terminal.say(f"  {word.replace('_', ' '):<12} {count:,}")
    return 0
