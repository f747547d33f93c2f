"""What a deploy would change, and for whom: files against files, and the enrollments that would move.

Steps are compared by their ids, as `migrate` and pinned versions know them. The numbers come from one look at all
enrollments (`Store.standing`); nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from orchestrator.core.advance import shown_step
from orchestrator.core.migrating import destination
from orchestrator.core.program import Journey
from orchestrator.definitions.compiler.flow import StepNode, walk
from orchestrator.definitions.compiler.journey import JourneySource
from orchestrator.definitions.load import LoadedProject

Standing = Mapping[tuple[str, str, str], int]
"""Enrollments by (journey, version, step)."""


class StepChange(NamedTuple):
    """A step that is new, changed, removed, moved to another place, or renamed by `migrate` (`to`)."""

    what: Literal["new", "changed", "removed", "moved", "renamed"]
    step: str
    to: str | None = None


class Group(NamedTuple):
    """So many enrollments that stand on one step of one version, and what the deploy does with them.

    `does`: they `stay` in their version; they go on in the new one, on or before the step `to` (`move`); they leave
    (`exit`) or reach the end (`complete`); `unknown`: their version cannot be compiled any more, so they wait.
    """

    journey: str
    version: str
    step: str
    number: int
    does: Literal["stay", "move", "exit", "complete", "unknown"]
    to: str | None = None


class JourneyDifference(NamedTuple):
    """A journey that is new, changed or removed; or the same, where some are still in older versions of it."""

    journey: str
    what: Literal["new", "changed", "removed", "same"]
    versions: tuple[str | None, str | None]
    steps: tuple[StepChange, ...] = ()
    keys: tuple[str, ...] = ()
    """Keys of the file other than `steps` that differ."""
    enrollments: tuple[Group, ...] = ()
    """All that are in the journey, by version and step."""

    def number(self, *does: str) -> int:
        """How many enrollments the deploy does this with; without a word: all of them."""
        return sum(group.number for group in self.enrollments if not does or group.does in does)


class PartChange(NamedTuple):
    """Something else of a project: `kind` is template, offer, segment, topic, ..."""

    kind: str
    what: Literal["new", "changed", "removed"]
    name: str


class Difference(NamedTuple):
    """Everything. Journeys that are the same, and in no older version of which anybody is, are left out."""

    journeys: tuple[JourneyDifference, ...]
    parts: tuple[PartChange, ...]

    @property
    def any(self) -> bool:
        """Whether a deploy changes anything."""
        return bool(self.parts) or any(journey.what != "same" for journey in self.journeys)


def difference(
    before: LoadedProject | None, after: LoadedProject, standing: Standing, older: Iterable[LoadedProject] = ()
) -> Difference:
    """What changes from `before` (None: nothing is deployed) to `after`. `older`: deployments that somebody is in."""
    programs: dict[tuple[str, str], Journey] = {}
    for loaded in (*older, *([before] if before is not None else ())):
        programs.update(((j.id, j.version), j) for j in loaded.project.journeys.values())
    was = before.project.journeys if before is not None else {}
    now = after.project.journeys
    inside = {journey for journey, _, _ in standing}
    found = []
    for name in sorted({*was, *now, *inside}):
        versions = tuple(found[name].version if name in found else None for found in (was, now))
        groups = tuple(_groups(name, versions, now.get(name), programs, standing))
        what = _what(*versions)
        if what == "same" and all(group.version == versions[1] for group in groups):
            continue
        sources = [p.sources.get(name) if p is not None else None for p in (before, after)]
        steps: tuple[StepChange, ...] = ()
        keys: tuple[str, ...] = ()
        if sources[0] is not None and sources[1] is not None and what == "changed":
            steps = tuple(_step_changes(sources[0], sources[1], now.get(name)))
            keys = _other_keys(sources[0], sources[1])
        found.append(JourneyDifference(name, what, (versions[0], versions[1]), steps, keys, groups))
    return Difference(tuple(found), tuple(_parts(before, after)))


def _what(was: str | None, now: str | None) -> Literal["new", "changed", "removed", "same"]:
    if now is None:
        return "removed"
    return "new" if was is None else "same" if was == now else "changed"


def _groups(
    name: str,
    versions: tuple[str | None, ...],
    new: Journey | None,
    programs: Mapping[tuple[str, str], Journey],
    standing: Standing,
) -> Iterator[Group]:
    """Those of the journey, in the order of versions and steps."""
    for (journey, version, step), count in sorted(standing.items()):
        if journey != name:
            continue
        old = programs.get((journey, version))
        if not step:  # held before its first step: it goes on in what is live then
            yield Group(journey, version, "its start", count, "stay")
            continue
        shown = (shown_step(old, step) or step) if old is not None and step in old.by_id else step
        if old is None and version != versions[1]:
            yield Group(journey, version, shown, count, "unknown")
        elif new is None or new.migrate is None or version == new.version or not new.migrate.concerns(version):
            yield Group(journey, version, shown, count, "stay")
        elif old is None or step not in old.by_id:
            yield Group(journey, version, shown, count, "unknown")
        else:
            index, _ = destination(old, new, step)
            to = shown_step(new, new.steps[index].id) if index is not None and index >= 0 else None
            does: Any = "exit" if index is None else "complete" if index < 0 else "move"
            yield Group(journey, version, shown, count, does, to)


# --- steps ------------------------------------------------------------------------------------------------------------


def _step_changes(was: JourneySource, now: JourneySource, new: Journey | None) -> Iterator[StepChange]:
    names = new.migrate.names if new is not None and new.migrate is not None else {}
    before = {names.get(id, id): (id, node) for id, node in _named(was).items()}
    after = _named(now)
    shared = [id for id in before if id in after]
    stayed = _in_order(shared, [id for id in after if id in before])
    places = _places(was, names), _places(now, {})
    for id, (old_id, _) in before.items():
        if id not in after:
            yield StepChange("removed", old_id)
        elif old_id != id:
            yield StepChange("renamed", old_id, id)
    for id, node in after.items():
        if id not in before:
            yield StepChange("new", id)
            continue
        if _content(node) != _content(before[id][1]):
            yield StepChange("changed", id)
        if id not in stayed or places[0][id] != places[1][id]:
            yield StepChange("moved", id)


def _named(source: JourneySource) -> dict[str, StepNode]:
    """The steps of the file in its order, by their ids."""
    if source.journey is None:
        return {}
    ids = {path: step.id for path, step in zip(source.paths, source.journey.steps, strict=True) if step.verb != "again"}
    return {ids[node.path]: node for node in source.nodes if node.path in ids}


def _places(source: JourneySource, names: Mapping[str, str]) -> dict[str, str]:
    """The list that each step stands in: the step above it, and which of its lists."""
    named = _named(source)
    ids = {id(node): names.get(name, name) for name, node in named.items()}
    found = dict.fromkeys(ids.values(), "")
    for name, node in named.items():
        for block in node.blocks:
            for inner in block.steps:
                found[ids[id(inner)]] = f"{names.get(name, name)}/{block.name}"
    return found


def _in_order(before: list[str], after: list[str]) -> frozenset[str]:
    """Those that did not change their places among one another."""
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    return frozenset(name for block in matcher.get_matching_blocks() for name in before[block.a : block.a + block.size])


def _content(node: StepNode) -> Any:
    """What a step says, without its name, remarks, and the steps inside it."""
    inside = {id(inner.model) for block in node.blocks for inner in walk(block.steps)}
    return _bare(node.model, inside, top=True)


def _bare(value: Any, inside: set[int], top: bool = False) -> Any:
    if id(value) in inside:
        return None
    fields = getattr(type(value), "model_fields", None)
    if fields is not None:
        left_out = ("id", "note") if top else ()
        return type(value).__name__, {
            name: _bare(getattr(value, name), inside) for name in fields if name not in left_out
        }
    if isinstance(value, Mapping):
        return {key: _bare(item, inside) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare for item in value if (bare := _bare(item, inside)) is not None]
    return value


def _other_keys(was: JourneySource, now: JourneySource) -> tuple[str, ...]:
    before, after = was.document.data, now.document.data
    keys = sorted({*before, *after} - {"steps", "tests", "journey", "note"})
    return tuple(str(key) for key in keys if before.get(key) != after.get(key))


# --- everything else --------------------------------------------------------------------------------------------------


def _parts(before: LoadedProject | None, after: LoadedProject) -> Iterator[PartChange]:
    was, now = (_contents(before) if before is not None else {}), _contents(after)
    for kind, name in sorted({*was, *now}):
        place = (kind, name)
        if place not in was:
            if before is not None or kind != "setting":
                yield PartChange(kind, "new", name)
        elif place not in now:
            yield PartChange(kind, "removed", name)
        elif was[place] != now[place]:
            yield PartChange(kind, "changed", name)


def _contents(loaded: LoadedProject) -> dict[tuple[str, str], Any]:
    """What can differ, by (kind, name)."""
    project = loaded.project
    found: dict[tuple[str, str], Any] = {
        ("template", variant.path.removeprefix("templates/")): variant.content_hash
        for variant in loaded.templates.variants()
    }
    found.update((("asset", asset.name), asset.content_hash) for asset in loaded.templates.assets.values())
    found.update((("offer", name), offer) for name, offer in project.offers.items())
    found.update((("segment", s.name), (s.where.source, s.title)) for s in project.segments)
    found.update((("topic", name), topic) for name, topic in project.topics.items())
    found.update((("stage", s.name), s.where.source if s.where is not None else None) for s in project.stages)
    found.update((("catalog", name), rows) for name, rows in project.catalogs.items())
    found.update((("queue", name), queue) for name, queue in project.queues.items())
    found.update((("attribute", name), spec) for name, spec in project.attributes.items())
    found.update((("event", name), spec) for name, spec in project.events.items())
    others = (
        "timezone", "locale", "country", "currency", "brand", "quiet", "quiet_plan", "packs", "pack_changes", "holdout",
        "caps", "channels", "settings",
    )  # fmt: skip
    found.update((("setting", name), getattr(project, name)) for name in others)
    return found
