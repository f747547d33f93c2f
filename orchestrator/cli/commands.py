"""Every command: its name, the module that holds it, and what it does in one line.

A module here offers `DESCRIPTION`, `EXAMPLES` (both for its help), `add_arguments(parser)` and `run(args, terminal)`,
which returns the exit code. Modules are imported when their command is called, so that the others cost nothing.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from orchestrator.cli.terminal import Terminal


class CommandModule(Protocol):
    """What a command's module offers."""

    DESCRIPTION: str
    """One to a few sentences for the top of its help."""
    EXAMPLES: str
    """Lines for the end of its help, at least one of them a whole command."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    """Declares the command's own options."""
    run: Callable[[argparse.Namespace, Terminal], int]
    """Does it; returns the exit code."""


class Command(NamedTuple):
    """Where a command is and what it does in one line."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "init": Command("orchestrator.cli.init", "make a new project with two working journeys"),
    "lint": Command("orchestrator.cli.lint", "show every problem in the files, and the way out"),
    "test": Command("orchestrator.cli.test", "run the tests of journeys on a virtual clock"),
    "simulate": Command("orchestrator.cli.simulate", "run a scenario, or replay a table of events"),
    "why": Command("orchestrator.cli.why", "tell what happened to a customer, and on what grounds"),
    "preview": Command("orchestrator.cli.preview", "render one message, with warnings"),
    "graph": Command("orchestrator.cli.graph", "draw a journey"),
    "schema": Command("orchestrator.cli.schema", "JSON Schemas of every kind of file, for editors"),
    "up": Command("orchestrator.cli.up", "run everything in one process: API, status page, decisions, delivery"),
    "profiles": Command("orchestrator.cli.profiles", "classes by recency, frequency and value; addresses cleaned"),
    "groups": Command("orchestrator.cli.groups", "companies and accounts that customers belong to"),
    "serve": Command("orchestrator.cli.serve", "take events and serve pages, beside workers"),
    "worker": Command("orchestrator.cli.worker", "decide and deliver, nudged over a broker"),
    "beat": Command("orchestrator.cli.beat", "nudge the workers each second"),
    "diff": Command("orchestrator.cli.diff", "what a deploy would change, for whom, and who would move where"),
    "deploy": Command("orchestrator.cli.deploy", "make the files live, after showing what changes"),
    "approve": Command("orchestrator.cli.approve", "approve what somebody else is about to deploy"),
    "canary": Command("orchestrator.cli.canary", "journeys of which a share of the customers goes first"),
    "pause": Command("orchestrator.cli.pause", "let nobody into a journey, and freeze who is in it"),
    "resume": Command("orchestrator.cli.resume", "let a journey go on, and take up again what was parked"),
    "stop": Command("orchestrator.cli.stop", "end a journey for everybody who is in it"),
    "kill": Command("orchestrator.cli.kill", "stop messages of a channel, a journey, or all, at once"),
    "lift": Command("orchestrator.cli.lift", "take a kill switch back"),
    "import": Command("orchestrator.cli.importing", "bring in customers, past events, consents or coupon codes"),
    "consume": Command("orchestrator.cli.consume", "take events from Kafka or a Redis stream"),
    "events": Command("orchestrator.cli.events", "what came and does not fit the tracking plan"),
    "export": Command("orchestrator.cli.exporting", "write customers, events, messages, the journal into a table"),
    "customer": Command("orchestrator.cli.customer", "show or export what is known of a customer"),
    "segments": Command("orchestrator.cli.segments", "who is in a segment, and how large one would be"),
    "messages": Command("orchestrator.cli.messages", "list messages that failed, and send them again"),
    "rights": Command("orchestrator.cli.rights", "opt-outs as a file outside the database, and after a restore again"),
    "suppressions": Command("orchestrator.cli.suppressions", "whom nothing may be written to, and why"),
    "channels": Command("orchestrator.cli.channels", "check providers, DNS and links; read the mailbox of bounces"),
    "proof": Command("orchestrator.cli.proof", "a month's contacts with their basis, and every rule that was broken"),
    "offers": Command("orchestrator.cli.offers", "how offers stand; find, redeem and roll back a code"),
    "audit": Command("orchestrator.cli.audit", "what operators did, and whether the log is whole"),
    "webhooks": Command("orchestrator.cli.webhooks", "who is told what is decided: list, test, retry, skip"),
    "keys": Command("orchestrator.cli.keys", "keys of the API and of ingest: make, list, renew, revoke"),
    "db": Command("orchestrator.cli.db", "bring the database's tables to this version, or check them"),
    "mcp": Command("orchestrator.cli.mcp", "let an assistant list, lint, simulate and explain journeys"),
    "doctor": Command("orchestrator.cli.doctor", "say what is wrong with this installation, and what to do"),
    "demo": Command("orchestrator.cli.demo", "watch two years of bookings run through a journey"),
}


def load_command(name: str) -> CommandModule:
    """The module of a command in COMMANDS."""
    return cast(CommandModule, importlib.import_module(COMMANDS[name].module))
