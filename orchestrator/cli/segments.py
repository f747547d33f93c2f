"""`orchestrator segments`: who is in a segment, how large one would be, and whether all that is kept of them agrees."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.expression.expr import Expr
    from orchestrator.core.expression.types import Types
    from orchestrator.core.index import Index
    from orchestrator.core.project import Project, Segment
    from orchestrator.runtime.segments import Preview
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Look at segments: `list` all with their sizes, `show` one with its condition, list its `members`.
`preview` tells how many a condition would have before it is deployed: an expression, or with --file a segment of the
project's files; exactly where that is quick, else an estimate from a sample of the customers with its bounds. `build`
works out at once what a deploy left to the workers. `check` evaluates everybody of some shards, and says where
conditions, customers' records and the rows of a segment do not agree."""
EXAMPLES = """
orchestrator segments list
orchestrator segments members shoppers --limit 20
orchestrator segments preview "count('order_placed', within='30d') >= 3"
orchestrator segments preview shoppers --file
orchestrator segments check --shards 16
"""
ACTIONS = ("list", "show", "members", "preview", "build", "check")
MOST_DIFFERENCES = 20
MOST_MEMBERS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, and of which."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), nargs="?", default="list")
    parser.add_argument("what", metavar="SEGMENT|EXPRESSION", nargs="?", help="a segment's name, or a condition")
    parser.add_argument("--file", action="store_true", help="preview: a segment as the project's files have it")
    shown = "members shown at once (default: 100, at most 100,000)"
    parser.add_argument("--limit", metavar="N", type=int, default=100, help=shown)
    parser.add_argument("--after", metavar="PLACE", help="members: go on behind this place")
    parser.add_argument("--seconds", metavar="S", type=float, default=1.0, help="preview: how long to count")
    parser.add_argument("--sample", metavar="N", type=int, default=10, help="preview: customers shown (default: 10)")
    parser.add_argument("--shards", metavar="N", type=int, default=8, help="check: how many of 1,024 (default: 8)")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows, counts or compares."""
    from orchestrator.wiring.installation import installation

    with installation(args.project, args.database, args.broker) as place:
        project = place.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        if args.action == "list":
            return _list(place, project, terminal)
        if args.action == "preview":
            return _preview(args, place, project, terminal)
        if args.action == "build":
            return _build(place, terminal)
        if args.action == "check":
            return _check(args, place, terminal)
        segment = _named(project, args.what)
        return _show(place, segment, terminal) if args.action == "show" else _members(args, place, segment, terminal)


def _named(project: Project, name: str | None) -> Segment:
    from orchestrator.core.expression.nearest import did_you_mean

    names = [segment.name for segment in project.segments]
    if name is None:
        raise UsageError(f"say which segment: {', '.join(names) or 'none is deployed'}", "which_segment")
    found = next((segment for segment in project.segments if segment.name == name), None)
    if found is None:
        hint = did_you_mean(name, names) or f"deployed are: {', '.join(names) or 'none'}"
        raise UsageError(f"no segment '{name}' is deployed; {hint}", "unknown_segment")
    return found


def _list(place: Installation, project: Project, terminal: Terminal) -> int:
    from orchestrator.stores.shards import SHARDS

    sizes = place.store.segment_sizes()
    builds = {build.segment: build for build in place.store.segment_builds()}
    rows: list[dict[str, Any]] = []
    for segment in sorted(project.segments, key=lambda segment: segment.name):
        build = builds.get(segment.name)
        phase = build.phase if build is not None else "done"
        rows.append(
            {
                "name": segment.name,
                "title": segment.title or None,
                "list": segment.listed,
                "size": sizes.get(segment.name, 0),
                "state": phase,
                "shards": build.shards if build is not None else SHARDS,
            }
        )
        standing = "" if phase == "done" else f"  ({phase}, {rows[-1]['shards']:,} of {SHARDS:,} shards)"
        kind = "list" if segment.listed else "    "
        terminal.say(f"{rows[-1]['size']:>12,}  {kind}  {segment.name}{standing}")
    terminal.data(rows)
    if not rows:
        terminal.say("no segment is deployed; declare some in journeys/segments.yaml")
    return 0


def _show(place: Installation, segment: Segment, terminal: Terminal) -> int:
    now = place.journey_now()
    parts = () if segment.listed else place.store.undecided_parts(segment.where, place.store.index, now)
    size = place.store.segment_sizes().get(segment.name, 0)
    condition = None if segment.listed else segment.where.source
    terminal.data(
        {
            "name": segment.name,
            "title": segment.title or None,
            "list": segment.listed,
            "where": condition,
            "size": size,
            "evaluated": [part._asdict() for part in parts],
        }
    )
    terminal.say(f"{segment.name}: {number_of(size, 'customer')}")
    terminal.say(f"  where: {condition}" if condition else "  a list: `orchestrator import list` changes it")
    for part in parts:
        terminal.say(f"  not counted by the database: {part.text} ({part.why})")
    return 0


def _members(args: argparse.Namespace, place: Installation, segment: Segment, terminal: Terminal) -> int:
    members, following = place.store.segment_members(segment.name, args.after, min(max(1, args.limit), MOST_MEMBERS))
    terminal.data(
        {
            "members": [{"customer": one.customer, "since": one.since.isoformat()} for one in members],
            "next": following,
        }
    )
    for one in members:
        terminal.say(f"{one.since:%Y-%m-%d %H:%M}  {one.customer}")
    if following is not None:
        terminal.note(f"there are more: --after {following}")
    return 0


def _preview(args: argparse.Namespace, place: Installation, project: Project, terminal: Terminal) -> int:
    from orchestrator.core.index import Index
    from orchestrator.runtime.segments import preview

    if args.what is None:
        raise UsageError('say which condition: orchestrator segments preview "EXPRESSION"', "which_condition")
    index, expr = _condition(args.what, args.file, args.project, place.store.index, project, terminal)
    assert isinstance(index, Index)
    began = perf_counter()
    found = preview(place.store, expr, index, place.journey_now(), args.seconds, max(0, args.sample), args.what)
    terminal.data({**found._asdict(), "parts": [part._asdict() for part in found.parts]})
    _tell(found, perf_counter() - began, terminal)
    return 0


def _condition(
    what: str, from_files: bool, folder: Path, index: Index, project: Project, terminal: Terminal
) -> tuple[Index, Expr]:
    """The condition, and the definitions that it means."""
    from orchestrator.cli.project_loading import load_valid
    from orchestrator.core.expression.check import check
    from orchestrator.core.index import Index
    from orchestrator.definitions.expressions import ExpressionSyntax, build_expr

    if from_files:
        mine = load_valid(folder, terminal).project
        return Index(mine), _named(mine, what).where
    types = _types(project)
    try:
        expr = build_expr(what, types=types)
    except ExpressionSyntax as error:
        raise UsageError(f"the condition cannot be read, at character {error.offset + 1}: {error}") from None
    if types is not None:
        for finding in check(expr.node, types)[1]:
            way_out = f"; {finding.hint}" if finding.hint else ""
            raise UsageError(f"at character {finding.offset + 1}: {finding.message}{way_out}", finding.code)
    return index, expr


def _types(project: Project) -> Types | None:
    """The types that the project's own conditions were checked with."""
    from orchestrator.core.index import exprs_of

    conditions = [segment.where for segment in project.segments]
    conditions += [expr for journey in project.journeys.values() for expr in exprs_of(journey)]
    types = next((expr.types for expr in conditions if expr.types is not None), None)
    return None if types is None else replace(types, event=None, entry=None, results={}, vars={}, steps=frozenset())


def _tell(found: Preview, seconds: float, terminal: Terminal) -> None:
    if found.exact:
        terminal.say(f"{number_of(found.members, 'customer')} of {found.customers:,}")
    else:
        bounds = f"between {found.least:,} and {found.most:,}, 19 times out of 20"
        terminal.say(f"about {number_of(found.members, 'customer')}: {bounds}")
        terminal.say(f"  estimated from {number_of(found.customers, 'customer')} in {found.shards:,} of 1,024 shards")
    if found.sample:
        terminal.say(f"  such as {', '.join(found.sample)}")
    if found.failed:
        terminal.say(f"  for {number_of(found.failed, 'customer')} the condition is an error, so they would not enter")
    for part in found.parts:
        terminal.note(f"not counted by the database: {part.text} ({part.why})")
    terminal.detail(f"in {seconds:.2f} s; {number_of(found.evaluated, 'customer')} were evaluated one by one")


def _build(place: Installation, terminal: Terminal) -> int:
    from orchestrator.runtime.segments import build_all
    from orchestrator.stores.shards import SHARDS

    began = perf_counter()
    with progress_bar(terminal, "segments") as progress:

        def told() -> None:
            if progress is not None:
                left = [build for build in place.store.segment_builds() if build.phase != "done"]
                progress(min((build.shards for build in left), default=SHARDS), SHARDS)

        looked_at = build_all(place.store, place.journey_now, told)
    builds = place.store.segment_builds()
    settling = [build.segment for build in builds if build.phase == "settling"]
    terminal.data({"shards": looked_at, "seconds": round(perf_counter() - began, 3), "settling": settling})
    terminal.say(
        f"{number_of(looked_at, 'shard')} looked at in {perf_counter() - began:.1f} s"
        if looked_at
        else "nothing is left to work out"
    )
    if settling:
        terminal.note(f"compared again once everybody has heard of the deploy: {', '.join(settling)}")
    return 0


def _check(args: argparse.Namespace, place: Installation, terminal: Terminal) -> int:
    from orchestrator.stores.shards import SHARDS

    count = min(max(1, args.shards), SHARDS)
    shards = range(0, SHARDS, max(1, SHARDS // count))[:count]
    checked, found = place.store.segment_differences(place.journey_now(), shards)
    wrong = [one for one in found if not one.pending]
    terminal.data({"customers": checked, "shards": len(shards), "differences": [one._asdict() for one in found]})
    terminal.say(
        f"{number_of(checked, 'customer')} in {number_of(len(shards), 'shard')}: "
        + (number_of(len(wrong), "difference") if wrong else "everything agrees")
    )
    if len(found) > len(wrong):
        terminal.say(f"  {number_of(len(found) - len(wrong), 'difference')} that the next turns will settle")
    for one in wrong[:MOST_DIFFERENCES]:
        said = "left to the evaluator" if one.sql is None else one.sql
        terminal.say(
            f"  {one.customer}, {one.segment}: evaluated {one.evaluated}, in the database {said}, "
            f"in the record {one.stored}, among the rows {one.listed}"
        )
    return 1 if wrong else 0
