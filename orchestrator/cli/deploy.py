"""`orchestrator deploy`: make the project's files live, after saying what changes and for how many."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from orchestrator.cli.approve import signature
from orchestrator.cli.canary_plan import add_canary, canaries_after, canary_words, read_plan
from orchestrator.cli.confirming import confirmed
from orchestrator.cli.deploy_safety import (
    add_safety,
    changed_journeys,
    read_expected,
    require_approval,
    require_expected,
    subjects_to_approve,
)
from orchestrator.cli.deploying import Plan, actor, changed_files, plan_as_dict, show_plan
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.runtime.differences import Difference
    from orchestrator.stores.protocol import Snapshot
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Make the journeys and templates of the project live in the database: checked first, then shown as
`diff` shows it, then, after a yes, deployed. Customers go on in the version of a journey that they entered, unless its
`migrate` moves them. A running `orchestrator up` takes it over in a second. With `--expect`, a journey that lets in a
fifth more than that within a day is paused, and people are told; above `settings: approval` somebody else has to
approve it. With `--canary`, a share of the customers goes first, and the others after a hold."""
EXAMPLES = """
orchestrator deploy --dry-run
orchestrator deploy --yes
orchestrator deploy --expect 12000
orchestrator deploy --canary 5% --hold 2h
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether it is done, and without asking."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_safety(parser)
    add_canary(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows the plan, asks, deploys."""
    from orchestrator.runtime.deployment import snapshot_of
    from orchestrator.runtime.differences import difference
    from orchestrator.wiring.databases import database_of, upgrade_database
    from orchestrator.wiring.installation import installation, settings_of

    read_plan(args, None)
    loaded = load_valid(args.project, terminal)
    snapshot = snapshot_of(args.project)
    database = database_of(settings_of(args.database, args.broker), args.project)
    if not database.exists:
        if args.dry_run:
            plan = Plan(difference(None, loaded, {}), changed_files(None, snapshot), True)
            return _shown(plan, snapshot.digest, terminal)
        upgrade_database(database)
    with installation(args.project, args.database, args.broker) as place:
        return _deploy(args, terminal, place, loaded, snapshot)


def _deploy(
    args: argparse.Namespace, terminal: Terminal, place: Installation, loaded: LoadedProject, snapshot: Snapshot
) -> int:
    from orchestrator.runtime.approval import checked_name
    from orchestrator.runtime.canary import put
    from orchestrator.runtime.deployment import deploy, revive
    from orchestrator.runtime.differences import difference
    from orchestrator.runtime.expected_entries import expect
    from orchestrator.wiring.installation import real_now

    revived = revive(place.store)
    found = difference(revived.live, loaded, place.store.standing(), revived.older)
    before = revived.snapshot
    plan = Plan(found, changed_files(before, snapshot), before is None or before.digest != snapshot.digest)
    expected = read_expected(args.expect, changed_journeys(found))
    known = place.store.switches().canaries
    canaries = canaries_after(args, place, revived, loaded, changed_journeys(found), known)
    if args.dry_run or not plan.news:
        return _shown(plan, snapshot.digest, terminal)
    show_plan(plan, terminal)
    for line in canary_words(canaries):
        terminal.say(line)
    who = checked_name(args.name or actor())
    approved = _approved(args, place, loaded, revived.live, found, expected, snapshot.digest, who)
    changed = [journey for journey in found.journeys if journey.what != "same"]
    touched = sum(journey.number() for journey in changed)
    if not confirmed(f"Deploy this ({number_of(touched, 'enrollment')} in changed journeys)?", args.yes, terminal):
        terminal.note("nothing was deployed")
        return 0
    if revived.live is not None:
        place.store.know(revived.live.project.journeys.values())
    for journey, number in expected.items():
        expect(place.store, journey, number, place.journey_now())  # before anybody can come in
    put(place.store, known, canaries)  # likewise
    deploy(place.store, loaded, place.journey_now(), snapshot, real_now())
    what = ", ".join(f"{journey.what} {journey.journey}" for journey in changed) or "other files"
    moving = sum(journey.number("move", "exit", "complete") for journey in found.journeys)
    moved = f"; {number_of(moving, 'enrollment')} to move" if moving else ""
    safety = "".join(f"; {number} expected in {journey}" for journey, number in expected.items())
    safety += "".join(f"; canary of {c.journey} {c.share:.4g}" for c in canaries if c.state == "on")
    safety += f"; approved by {', '.join(approved)}" if approved else ""
    place.store.audit(real_now(), signature(who), "deploy", f"{snapshot.digest[:12]}: {what}{moved}{safety}")
    terminal.data(plan_as_dict(plan, snapshot.digest, True))
    terminal.say(f"deployed {snapshot.digest[:12]}")
    return 0


def _approved(
    args: argparse.Namespace,
    place: Installation,
    loaded: LoadedProject,
    live: LoadedProject | None,
    found: Difference,
    expected: dict[str, int],
    digest: str,
    who: str,
) -> tuple[str, ...]:
    """Who approved this deploy, where the project asks for it. Raises UsageError while it is not approved."""
    from orchestrator.runtime.approval import code_of, strictest
    from orchestrator.wiring.installation import real_now

    rules = [loaded.project.settings.approval, live.project.settings.approval if live is not None else None]
    rule = strictest(rules)
    if rule is None:
        return ()
    require_expected(rule, expected, changed_journeys(found))
    subjects = subjects_to_approve(rule, expected, found)
    if not subjects:
        return ()
    first = read_plan(args, None)
    numbers = dict(expected)
    if first is not None:  # who approves a few customers first has not approved all of them at once
        numbers["--canary"] = round(first.share * 1_000_000)
        subjects = (*subjects, f"canary {first.share * 100:.4g}%")
    return require_approval(place.store, rule, code_of(digest, numbers), subjects, who, real_now())


def _shown(plan: Plan, digest: str, terminal: Terminal) -> int:
    show_plan(plan, terminal)
    terminal.data(plan_as_dict(plan, digest, False))
    return 0
