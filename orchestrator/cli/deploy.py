"""`orchestrator deploy`: make the project's files live, after saying what changes and for how many."""

from __future__ import annotations

import argparse

from orchestrator.cli.confirming import confirmed
from orchestrator.cli.deploying import Plan, actor, changed_files, plan_as_dict, running_of, show_plan
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Make the journeys and templates of the project live in the database: checked first, then shown (new,
changed and removed journeys with their versions, and how many customers are in them), then, after a yes, deployed.
Customers go on in the version of a journey that they entered. A running `orchestrator up` takes it over in a second."""
EXAMPLES = """
orchestrator deploy --dry-run
orchestrator deploy --yes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether it is done, and without asking."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows the plan, asks, deploys."""
    from orchestrator.runtime.deployment import changes_between, deploy, revive, snapshot_of
    from orchestrator.wiring.databases import database_of, upgrade_database
    from orchestrator.wiring.installation import installation, real_now, settings_of

    loaded = load_valid(args.project, terminal)
    snapshot = snapshot_of(args.project)
    database = database_of(settings_of(args.database, args.broker), args.project)
    if not database.exists:
        if args.dry_run:
            plan = Plan(changes_between(None, loaded, {}), changed_files(None, snapshot), True)
            return _shown(plan, snapshot.digest, terminal)
        upgrade_database(database)
    with installation(args.project, args.database, args.broker) as place:
        revived = revive(place.store)
        running = running_of(place.store.overview())
        changes = changes_between(revived.live, loaded, running)
        before = revived.snapshot
        plan = Plan(changes, changed_files(before, snapshot), before is None or before.digest != snapshot.digest)
        if args.dry_run or not plan.news:
            return _shown(plan, snapshot.digest, terminal)
        show_plan(plan, terminal)
        touched = sum(change.running for change in changes)
        question = f"Deploy this ({number_of(touched, 'customer')} in changed journeys)?"
        if not confirmed(question, args.yes, terminal):
            terminal.note("nothing was deployed")
            return 0
        if revived.live is not None:
            place.store.know(revived.live.project.journeys.values())
        deploy(place.store, loaded, place.journey_now(), snapshot, real_now())
        detail = f"{snapshot.digest[:12]}: {', '.join(f'{c.what} {c.journey}' for c in changes) or 'other files'}"
        place.store.audit(real_now(), actor(), "deploy", detail)
    terminal.data(plan_as_dict(plan, snapshot.digest, True))
    terminal.say(f"deployed {snapshot.digest[:12]}")
    return 0


def _shown(plan: Plan, digest: str, terminal: Terminal) -> int:
    show_plan(plan, terminal)
    terminal.data(plan_as_dict(plan, digest, False))
    return 0
