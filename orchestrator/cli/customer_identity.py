"""`orchestrator customer merge, unmerge, duplicates`: two customers who are one person, and those who may be."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from orchestrator.cli.confirming import confirmed
from orchestrator.cli.deploying import actor
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.customer import Customer
    from orchestrator.stores.protocol import Store

PAGE = 5_000
"""Profiles that are read together."""


def merge(args: argparse.Namespace, terminal: Terminal) -> int:
    """Makes the first customer a part of the second."""
    from orchestrator.wiring.installation import installation, real_now

    if args.into is None:
        raise UsageError("say into whom: `orchestrator customer merge FROM INTO`", "nobody_to_merge_into")
    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        store = place.store
        for id in (args.customer, args.into):
            if store.resolve(id) is None:
                raise UsageError(f"there is no customer '{id}' in {place.database}", "unknown_customer")
        source, into = store.resolve(args.customer), store.resolve(args.into)
        if source == into:
            raise UsageError(f"'{args.customer}' and '{args.into}' are one customer already", "merged_already")
        question = f"Make '{source}' a part of '{into}'? `customer unmerge {source}` takes it back."
        if not confirmed(question, args.yes, terminal):
            return 1
        done = store.merge(args.customer, args.into, place.journey_now(), actor())
        store.audit(real_now(), actor(), "customer merge", _named(into, source))
    terminal.data({"outcome": done.outcome, "customer": done.customer, "source": done.source})
    terminal.say(f"{done.source} is a part of {done.customer} now; all its ids name {done.customer}")
    return 0


def unmerge(args: argparse.Namespace, terminal: Terminal) -> int:
    """Takes a merge back."""
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        done = place.store.unmerge(args.customer, place.journey_now(), actor())
        if done.outcome != "unmerged":
            raise UsageError(
                f"no merge of '{args.customer}' is remembered in {place.database}; name the customer that became part "
                "of another (`customer show` of that one lists it)",
                "no_such_merge",
            )
        place.store.audit(real_now(), actor(), "customer unmerge", _named(done.customer, done.source))
    terminal.data({"outcome": done.outcome, "customer": done.customer, "source": done.source})
    terminal.say(
        f"{done.source} is a customer of its own again; what arrived since, messages and journeys stay with "
        f"{done.customer}"
    )
    return 0


def duplicates(args: argparse.Namespace, terminal: Terminal) -> int:
    """Lists customers who may be one person: as CSV, or with --json as a list."""
    from orchestrator.definitions.harmless_cells import harmless
    from orchestrator.insights.duplicates import find_duplicates
    from orchestrator.wiring.installation import installation

    with installation(args.project, args.database, args.broker) as place:
        found = find_duplicates(lambda: all_profiles(place.store))
    terminal.data([each.as_dict() for each in found])
    if not terminal.json_output:
        rows = csv.writer(terminal.out, lineterminator="\n")
        rows.writerow(["why", "value", "customers"])
        rows.writerows([each.why, harmless(each.value), harmless(" ".join(each.ids))] for each in found)
    return 0


def _named(customer: str | None, source: str | None) -> str:
    """Two ids in a row of the audit log, as whoever erases a person finds them."""
    return json.dumps({"customer": customer, "previous": source}, ensure_ascii=False)


def all_profiles(store: Store) -> Iterator[Customer]:
    """Every customer, page by page."""
    after = ""
    while page := store.everybody(after, PAGE):
        yield from page
        after = page[-1].id


def identity_lines(store: Store, customer: str) -> Iterable[str]:
    """What `customer show` says of who somebody is."""
    for identifier in store.identifiers(customer):
        if identifier.value != customer:
            yield f"  {identifier.kind:<10} {identifier.value}"
    for merge in store.merges(customer):
        yield f"  merged     {merge.source}, {merge.at:%Y-%m-%d %H:%M} UTC ({merge.cause}, {merge.actor})"
