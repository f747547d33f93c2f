"""`orchestrator webhooks`: who is told what is decided, how they stand, and what to do when one does not take it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from orchestrator.cli.arguments import nearest_word, one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.webhooks import Webhook
    from orchestrator.runtime.webhook_batches import Receiver
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """`list` shows the webhooks of project.yaml: how each stands, how far behind it is, what it would not
take.
`test` makes one call that tells nothing, signed as all are. `retry` lets one that is paused or rests be tried at once,
and sends again what was put aside. `skip` puts the next batch aside, so that what comes behind it goes; with --all it
goes on with what comes from now on."""
EXAMPLES = """
orchestrator webhooks list
orchestrator webhooks test crm
orchestrator webhooks retry crm
orchestrator webhooks skip crm
orchestrator webhooks skip crm --all
"""
ACTIONS = ("list", "test", "retry", "skip")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, test NAME, retry NAME, skip NAME [--all]."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to do")
    parser.add_argument("name", metavar="NAME", nargs="?", help="which webhook")
    parser.add_argument("--all", action="store_true", help="skip: everything that waits")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation
    from orchestrator.wiring.webhooks import WebhookPlaces

    if args.action == "list" and args.name is not None:
        raise UsageError("`webhooks list` takes no name", "no_ids")
    if args.action != "list" and not args.name:
        raise UsageError(f"`webhooks {args.action}` takes a NAME", "no_webhook")
    if args.all and args.action != "skip":
        raise UsageError("--all belongs to `webhooks skip`", "not_for_skip")
    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        if args.action == "list":
            return _list(place, terminal)
        webhook = _webhook(place, args.name)
        if args.action == "skip":
            return _skip(place, webhook, args.all, terminal)
        receiver = WebhookPlaces(place.settings)(webhook)
        if place.settings.test_mode != "off":
            raise UsageError("test mode: no webhook is called; unset ORCHESTRATOR_TEST_MODE", "test_mode")
        return (_test if args.action == "test" else _retry)(place, webhook, receiver, terminal)


def _webhook(place: Installation, name: str) -> Webhook:
    webhooks = place.store.index.project.webhooks
    if name not in webhooks:
        near = nearest_word(name, webhooks)
        known = f"there are {', '.join(webhooks)}" if webhooks else "project.yaml that is live has none"
        raise UsageError(
            f"there is no webhook '{name}'; {f'did you mean {near}?' if near else known}", "unknown_webhook"
        )
    return webhooks[name]


def _list(place: Installation, terminal: Terminal) -> int:
    from orchestrator.runtime.webhook_care import as_dict, standings

    found = list(standings(place.store, place.store.index.project.webhooks, place.journey_now()))
    terminal.data([as_dict(one) for one in found])
    for one in found:
        more = f"  {number_of(one.put_aside, 'line')} put aside" if one.put_aside else ""
        why = f"  {one.reason}" if one.reason else ""
        behind = f"{one.lag.total_seconds():,.0f} s behind"
        terminal.say(f"{one.name:<20} {one.state:<8} {number_of(one.batches, 'batch', 'batches')}  {behind}{more}{why}")
    if not found:
        terminal.say("the live project has no webhooks; `webhooks:` of project.yaml names them")
    return 0


def _test(place: Installation, webhook: Webhook, receiver: Receiver, terminal: Terminal) -> int:
    from orchestrator.runtime.webhook_care import try_out
    from orchestrator.wiring.installation import real_now

    status, error = try_out(webhook, receiver, real_now())
    took = status is not None and 200 <= status < 300
    told = error if status is None else f"the answer was {status}"
    place.store.audit(real_now(), actor(), "webhook test", f"{webhook.name}: {told}")
    terminal.data({"webhook": webhook.name, "status": status, "error": error, "ok": took})
    terminal.say(f"{webhook.name} {'took it' if took else 'did not take it'}: {told}")
    return 0 if took else 1


def _retry(place: Installation, webhook: Webhook, receiver: Receiver, terminal: Terminal) -> int:
    from orchestrator.runtime.webhook_care import go_on, send_again
    from orchestrator.wiring.installation import real_now

    goes_on = go_on(place.store, webhook)
    again = send_again(place.store, webhook, receiver, real_now())
    place.store.audit(
        real_now(), actor(), "webhook retry", f"{webhook.name}: {again.sent} sent again, {again.left} left"
    )
    terminal.data({"webhook": webhook.name, "tried_at_once": goes_on} | again._asdict())
    if goes_on:
        terminal.say(f"{webhook.name} is tried at once by whoever runs the engine")
    terminal.say(f"{number_of(again.sent, 'line')} that {'was' if again.sent == 1 else 'were'} put aside sent again")
    if again.left:
        terminal.say(f"{number_of(again.left, 'line')} left: {again.reason}")
    return 1 if again.left else 0


def _skip(place: Installation, webhook: Webhook, everything: bool, terminal: Terminal) -> int:
    from orchestrator.runtime.webhook_care import skip_all, skip_batch
    from orchestrator.wiring.installation import real_now

    done = skip_all(place.store, webhook) if everything else skip_batch(place.store, webhook, real_now())
    if done is None:
        raise UsageError(f"{webhook.name} moved on meanwhile; look at it again, and repeat it if it is needed", "moved")
    told = "everything that waited" if everything else f"{number_of(int(done), 'line')} put aside"
    place.store.audit(real_now(), actor(), "webhook skip", f"{webhook.name}: {told}")
    terminal.data({"webhook": webhook.name, "all": everything, "put_aside": 0 if everything else int(done)})
    terminal.say(f"{webhook.name}: skipped, {told}")
    return 0
