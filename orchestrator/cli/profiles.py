"""`orchestrator profiles`: classes by recency, frequency and value, and addresses cleaned."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.core.rfm import Classes
    from orchestrator.stores.protocol_profiles import RfmRun

DESCRIPTION = """`rfm` shows the classes that `rfm:` of project.yaml makes: when they were worked out last, over how
many customers, the bounds between them, and how many customers are in each segment. With --now they are worked out at
once; who is in another class than before hears of it as after any run.
`clean` looks at every customer's e-mail address and phone number: `normalised` (it has one form: lower case, E.164),
`invalid`, `role` (info@, sales@ ...), `disposable` (a mailbox that is thrown away). Nothing is changed without --apply,
which gives the first kind its form, in silence, through the inbox."""
EXAMPLES = """
orchestrator profiles rfm
orchestrator profiles rfm --now
orchestrator profiles rfm --json
orchestrator profiles clean --csv found.csv
orchestrator profiles clean --apply
"""
ACTIONS = ("rfm", "clean")
SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """rfm [--now], clean [--apply] [--csv FILE] [--limit N]."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to show")
    parser.add_argument("--now", action="store_true", help="rfm: work the classes out at once")
    parser.add_argument("--apply", action="store_true", help="clean: give addresses their one form")
    parser.add_argument("--csv", metavar="FILE", help="clean: write everything that was found to a table")
    parser.add_argument("--limit", metavar="N", type=int, default=SHOWN, help=f"clean: list so many (default: {SHOWN})")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows, after working out where it should."""
    if args.action == "clean":
        return _clean(args, terminal)
    from orchestrator.runtime.classing import tell_classes
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        spec = place.store.index.project.rfm
        if spec is None:
            raise UsageError("no classes are worked out: add `rfm:` to project.yaml and deploy it", "no_rfm")
        if args.now:
            now = place.journey_now()
            place.store.rfm_begin(now.strftime("now-%Y-%m-%dT%H:%M:%S"), now, spec)
            told = tell_classes(place.store, now)
            place.store.audit(real_now(), actor(), "profiles rfm", f"{told} customers in another class than before")
            terminal.say(f"{number_of(told, 'customer')} in another class than before")
        last, sizes = place.store.rfm_last(), place.store.rfm_sizes()
    if last is None:
        terminal.data({"run": None})
        terminal.say(f"nothing was worked out yet; the next time is as `every: {spec.every.text}` says, or use --now")
        return 0
    segments = _segments(sizes, last.classes)
    terminal.data(_data(last, sizes, segments))
    terminal.say(f"worked out as of {last.at:%Y-%m-%d %H:%M} UTC over {number_of(last.customers, 'customer')}")
    for name, bounds in (
        ("recency", [f"{_moment(at):%Y-%m-%d}" for at in last.bounds.recency]),
        ("frequency", [f"{bound:,}" for bound in last.bounds.frequency]),
        ("monetary", [f"{bound:,.2f}" for bound in last.bounds.monetary]),
    ):
        terminal.say(f"  {name:<10} " + "  ".join(f"{place} up to {bound}" for place, bound in enumerate(bounds, 1)))
    for segment, count in segments.most_common():
        terminal.say(f"{count:>9,}  {segment}")
    return 0


def _clean(args: argparse.Namespace, terminal: Terminal) -> int:
    import csv
    from contextlib import ExitStack

    from orchestrator.insights.cleaning import Finding
    from orchestrator.runtime.cleaning import clean_customers
    from orchestrator.wiring.installation import installation, real_now

    counts: Counter[str] = Counter()
    shown: list[Finding] = []
    with ExitStack() as stack:
        place = stack.enter_context(installation(args.project, args.database, args.broker))
        place.adopt()
        write = None
        if args.csv:
            try:
                file = stack.enter_context(open(args.csv, "w", newline="", encoding="utf-8"))
            except OSError as error:
                raise UsageError(f"{args.csv} cannot be written: {error.strerror}", "unwritable") from None
            write = csv.writer(file)
            write.writerow(Finding._fields)
        for found in clean_customers(place.store, place.journey_now(), args.apply):
            counts[found.kind] += 1
            if len(shown) < args.limit:
                shown.append(found)
            if write is not None:
                write.writerow(found)
        if args.apply or write is not None:
            place.store.audit(real_now(), actor(), "profiles clean", _done(counts, args.apply, args.csv))
    terminal.data({"counts": dict(counts), "applied": args.apply, "findings": [found._asdict() for found in shown]})
    for found in shown:
        proposal = f" -> {found.proposal}" if found.proposal is not None else ""
        terminal.say(f"{found.kind:<11} {found.customer:<20} {found.field:<6} {found.value}{proposal}")
    more = counts.total() - len(shown)
    if more > 0:
        terminal.say(f"and {more:,} more; --limit shows more of them, --csv FILE writes all")
    if not counts:
        terminal.say("every address is in one form, and can be used")
    elif counts["normalised"]:
        terminal.say(
            f"{number_of(counts['normalised'], 'address', 'addresses')} "
            + ("got one form" if args.apply else "could have one form: --apply gives it")
        )
    return 0


def _done(counts: Counter[str], applied: bool, table: str | None) -> str:
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "nothing found"
    return found + (", applied" if applied else "") + (f", to {table}" if table else "")


def _segments(sizes: Mapping[Classes, int], classes: int) -> Counter[str]:
    from orchestrator.core.rfm import segment_of

    found: Counter[str] = Counter()
    for each, count in sizes.items():
        found[segment_of(each, classes)] += count
    return found


def _moment(at: int) -> Any:
    from orchestrator.stores.instants import instant

    return instant(at)


def _data(last: RfmRun, sizes: Mapping[Classes, int], segments: Counter[str]) -> dict[str, Any]:
    from orchestrator.core.time.iso import format_instant

    return {
        "run": {
            "occurrence": last.occurrence,
            "at": format_instant(last.at),
            "customers": last.customers,
            "classes": last.classes,
            "done": last.next_shard is None,
            "bounds": {
                "recency": [format_instant(_moment(at)) for at in last.bounds.recency],
                "frequency": list(last.bounds.frequency),
                "monetary": list(last.bounds.monetary),
            },
        },
        "segments": dict(segments.most_common()),
        "sizes": [{**each._asdict(), "customers": count} for each, count in sorted(sizes.items())],
    }
