"""Scenarios: a timeline of items happens to a simulation, one after another, and in between the engine runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.core.inbox import (
    ConsentChanged,
    EnrollmentRequested,
    Identified,
    Receipt,
    RedemptionRequested,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.view import Switches
from orchestrator.definitions import scenario_items as items
from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import ProjectInvalid
from orchestrator.runtime.hooks import obey
from orchestrator.runtime.linking import link_once
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_identity import Link
from orchestrator.testing.simulation import Emit, Simulation, Summary, longest_after

OpenStore = Callable[[str | None, Mapping[str, str | bool]], Store]
"""Opens the store of a run: with the salt (None: the store's own) and the draws that a test fixed."""


def simulate_scenario(
    loaded: LoadedProject,
    scenario: items.Scenario,
    emit: Emit,
    *,
    only: frozenset[str] | None = None,
    with_values: bool = False,
    open_store: OpenStore | None = None,
) -> Summary:
    """Run a scenario. Raises ProjectInvalid when the project, or one that it deploys, has errors."""
    force = dict(scenario.force)
    run = Simulation(
        loaded,
        scenario.start,
        emit,
        salt=scenario.seed,
        force=force,
        fetch=dict(scenario.fetch),
        only=only,
        with_values=with_values,
        store=open_store(scenario.seed, force) if open_store is not None else None,
    )
    timeline = _Timeline(run, scenario.timeline)
    run.prepare(scenario.customers, scenario.history)
    until = scenario.until or longest_after(scenario.start)
    arrived = False
    for item in scenario.timeline:
        if item.at > until:
            break
        if item.at > run.now:
            if arrived:
                run.run_engine()
            run.advance_to(item.at)
            arrived = False
        if arrived and not _only_arrives(item):
            run.run_engine()
            arrived = False
        timeline.happen(item)
        arrived = arrived or _only_arrives(item)
    run.run_engine()
    run.run_out(until)
    return run.finish()


def _only_arrives(item: items.TimelineItem) -> bool:
    """Items for the inbox may arrive together; those that look at or change the world wait for the engine."""
    return isinstance(
        item,
        (items.EventItem, items.IdentifyItem, items.ConsentItem, items.SurveyItem, items.RedeemItem, items.EnrollItem),
    )


class _Timeline:
    """What the items of a timeline do to a run. Made before anything runs: raises ProjectInvalid where a project that
    will be deployed has errors."""

    def __init__(self, run: Simulation, timeline: Iterable[items.TimelineItem]) -> None:
        self._run = run
        paths = {item.path: None for item in timeline if isinstance(item, items.DeployItem)}
        self._deploys = {path: _loaded(path) for path in paths}

    def happen(self, item: items.TimelineItem) -> None:
        """One item, at the instant at which the run stands."""
        run = self._run
        match item:
            case items.EventItem():
                run.event(item.customer, item.name, item.properties, item.message_id)
            case items.IdentifyItem():
                run.ingest([(item.customer, Identified(item.traits))])
            case items.ConsentItem():
                proof = item.source, item.wording, item.proof, item.expires_at
                run.ingest([(item.customer, ConsentChanged(item.topic, item.channel, item.state, *proof))])
            case items.ReceiptItem():
                row = run.store.message(item.customer, item.channel, item.step)
                if item.kind == "reply":
                    obey(run.store, item.customer, item.channel, row, item.text or "", run.now)
                receipt = Receipt(item.kind, item.channel, row.id if row is not None else None, item.text, item.url)
                run.ingest([(item.customer, receipt)])
            case items.TaskItem():
                task = run.store.open_task(item.customer, item.step)
                if task is not None:
                    run.ingest([(item.customer, TaskClosed(task.id, item.outcome, item.assignee))])
            case items.SurveyItem():
                run.ingest([(item.customer, SurveyAnswered(item.name, item.score, item.choice, item.text))])
            case items.RedeemItem():
                redemption = RedemptionRequested(item.offer, item.order_id, item.total, item.code)
                run.ingest([(item.customer, redemption)])
            case items.EnrollItem():
                run.ingest([(item.customer, EnrollmentRequested(item.journey, item.values, "api", f"s{item.order}"))])
            case _:
                self._operate(item)

    def _operate(self, item: items.TimelineItem) -> None:
        run, store = self._run, self._run.store
        switches = store.switches()
        match item:
            case items.ProviderItem():
                run.sinks[item.channel].outcome = item.outcome
            case items.HttpItem():
                run.http.script(item)
            case items.PauseItem():
                store.set_switches(replace(switches, paused=switches.paused | {item.journey}))
            case items.ResumeItem():
                store.set_switches(
                    replace(
                        switches,
                        paused=switches.paused - {item.journey},
                        stopped=switches.stopped - {item.journey},
                    )
                )
                store.operate(item.journey, "resume", run.now)
            case items.StopItem():
                store.set_switches(replace(switches, stopped=switches.stopped | {item.journey}))
                store.operate(item.journey, "stop", run.now)
            case items.KillItem() | items.LiftItem():
                store.set_switches(_killed(switches, item))
            case items.CatalogItem():
                run.change_catalog(item)
            case items.StallItem():
                run.stall(item.stall_for)
            case items.DeployItem():
                run.deploy(self._deploys[item.path])
            case items.MergeItem():
                self._merge(item)

    def _merge(self, item: items.MergeItem) -> None:
        """Two customers become one. An id that nobody has becomes one more identifier of the target."""
        run = self._run
        if run.store.resolve(item.target) is None:
            run.ingest([(item.target, Identified({}, silent=True))])
        if run.store.resolve(item.source) is None:
            run.store.ingest([], [Link("external", item.source, item.target, run.now)])
            link_once(run.store, run.now)
        else:
            run.store.merge(item.source, item.target, run.now, "scenario", "scenario")


def _loaded(path: Path) -> LoadedProject:
    loaded, problems = lint_project(path)
    if any(problem.severity == "error" for problem in problems):
        raise ProjectInvalid([replace(problem, path=str(path / problem.path)) for problem in problems])
    return loaded


def _killed(switches: Switches, item: items.KillItem | items.LiftItem) -> Switches:
    on = isinstance(item, items.KillItem)
    if item.scope == "all":
        return replace(switches, killed_all=on)
    name = frozenset({item.name or ""})
    if item.scope == "channel":
        was = switches.killed_channels
        return replace(switches, killed_channels=was | name if on else was - name)
    was = switches.killed_journeys
    return replace(switches, killed_journeys=was | name if on else was - name)
