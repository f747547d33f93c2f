"""The installation's figures in Prometheus' words: how late decisions are, what waits, what leaves, who is there.

What is summed up over processes comes from the database, which all of them add to; `orchestrator_lane_*` are of the
process that is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.channels.circuit import State
from orchestrator.core.linking import BLOCKED
from orchestrator.runtime.delivery import MICROS
from orchestrator.runtime.figures import BATCHES
from orchestrator.runtime.lateness import BOUNDS
from orchestrator.runtime.loop import CLASSES, LaneState
from orchestrator.runtime.webhook_care import State as StandingState
from orchestrator.runtime.webhook_care import standings
from orchestrator.wiring.processes import living

if TYPE_CHECKING:
    from orchestrator.wiring.engine import Running

DUE_LANES: Final = ("turn", *CLASSES, "requests")
"""Lanes of which the age of the oldest thing that is due is shown."""
_INGESTED: Final = ("accepted", "duplicates", "refused", "erased")


class EngineFigures(Collector):
    """Read anew whenever somebody asks."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def collect(self) -> Iterator[Metric]:
        """Every figure. Raises StoreBusy."""
        running = self._running
        store = running.store
        running.engine.figures.flush(store)
        counted = store.counted()
        yield from _histograms(counted)
        yield from _counters(counted)
        now = running.journey_now()
        yield _ages(store.oldest_due(now), now)
        processes = GaugeMetricFamily(
            "orchestrator_processes", "Processes that gave a sign of life in the last minute", labels=["kind"]
        )
        for kind, count in living(store, running.real_now()).items():
            processes.add_metric([kind], count)
        yield processes
        yield from _lanes(running.lanes())
        stands = "Whether a channel's circuit is in this state; while it is open nothing is handed over"
        circuit = GaugeMetricFamily("orchestrator_channel_circuit", stands, labels=["channel", "state"])
        for channel, found in sorted(running.circuits().items()):
            for state_name in get_args(State):
                circuit.add_metric([channel, state_name], float(found.state == state_name))
        yield circuit
        yield from _webhooks(running)


def _webhooks(running: Running) -> Iterator[Metric]:
    webhooks = running.store.index.project.webhooks
    if not webhooks:
        return
    lag = GaugeMetricFamily(
        "orchestrator_webhook_lag_seconds", "How long the oldest line that a webhook was not told has waited",
        labels=["webhook"],
    )  # fmt: skip
    aside = GaugeMetricFamily(
        "orchestrator_webhook_put_aside", "Lines that a webhook would not take", labels=["webhook"]
    )
    stands = GaugeMetricFamily("orchestrator_webhook_state", "How a webhook stands", labels=["webhook", "state"])
    for one in standings(running.store, webhooks, running.journey_now()):
        lag.add_metric([one.name], one.lag.total_seconds())
        aside.add_metric([one.name], one.put_aside)
        for state in get_args(StandingState):
            stands.add_metric([one.name, state], float(one.state == state))
    yield from (lag, aside, stands)


def _histograms(counted: Mapping[str, int]) -> Iterator[Metric]:
    late = "Seconds of journey time between the due instant of a turn's oldest item and the turn"
    yield HistogramMetricFamily(
        "orchestrator_lateness_seconds",
        late,
        buckets=_buckets(counted, "late", BOUNDS),
        sum_value=counted.get("late_us", 0) / 1e6,
    )
    yield HistogramMetricFamily(
        "orchestrator_turn_customers",
        "Customers that one turn decided for",
        buckets=_buckets(counted, "batch", BATCHES),
        sum_value=counted.get("decisions", 0),
    )


def _buckets(counted: Mapping[str, int], name: str, bounds: Sequence[float]) -> list[tuple[str, float]]:
    upto, found = 0, []
    for place, bound in enumerate((*map(str, map(float, bounds)), "+Inf")):
        upto += counted.get(f"{name}:{place}", 0)
        found.append((bound, float(upto)))
    return found


def _counters(counted: Mapping[str, int]) -> Iterator[Metric]:
    turns = CounterMetricFamily("orchestrator_turns", "Turns that were saved")
    turns.add_metric([], counted.get("turns", 0))
    ingested = CounterMetricFamily(
        "orchestrator_ingest_items", "Items that came in, by what became of them", labels=["outcome"]
    )
    for outcome in _INGESTED:
        ingested.add_metric([outcome], counted.get(f"ingest:{outcome}", 0))
    identity = CounterMetricFamily(
        "orchestrator_identity", "Links between ids, by what became of them", labels=["outcome"]
    )
    for outcome in ("merged", "added", *(f"blocked:{reason}" for reason in BLOCKED)):
        identity.add_metric([outcome], counted.get(f"identity:{outcome}", 0))
    sends = CounterMetricFamily(
        "orchestrator_sends", "Hand-overs to a provider, by its answer", labels=["channel", "outcome"]
    )
    providers = CounterMetricFamily(
        "orchestrator_provider_sends",
        "Hand-overs to each of several providers of a channel, by its answer",
        labels=["channel", "provider", "outcome"],
    )
    spend = CounterMetricFamily(
        "orchestrator_spend", "What accepted messages cost, in money", labels=["channel", "currency"]
    )
    suppressed = CounterMetricFamily(
        "orchestrator_suppressed", "Messages and effects not done, by reason", labels=["reason"]
    )
    violations = CounterMetricFamily(
        "orchestrator_plan_violations", "What came and does not fit the tracking plan, by kind", labels=["kind"]
    )
    source = CounterMetricFamily(
        "orchestrator_source_requests", "What webhooks of sources brought, by outcome", labels=["source", "outcome"]
    )
    streams = CounterMetricFamily(
        "orchestrator_stream_records", "Records of streams, by what became of them", labels=["stream", "outcome"]
    )
    lag = GaugeMetricFamily("orchestrator_stream_lag", "Records that wait to be read", labels=["stream"])
    hooks = CounterMetricFamily(
        "orchestrator_webhook_batches", "What became of calls to webhooks", labels=["webhook", "outcome"]
    )
    hook_lines = CounterMetricFamily("orchestrator_webhook_lines", "Lines that webhooks took", labels=["webhook"])
    for name, count in sorted(counted.items()):
        kind, *labels = name.split(":")
        if kind == "sends" and len(labels) == 2:
            sends.add_metric(labels, count)
        elif kind == "provider" and len(labels) == 2:
            providers.add_metric([*labels[0].split("/", 1), labels[1]], count)
        elif kind == "spend" and len(labels) == 2:
            spend.add_metric(labels, count / MICROS)
        elif kind == "source" and len(labels) == 2:
            source.add_metric(labels, count)
        elif kind == "stream" and len(labels) == 2:
            (lag if labels[1] == "lag" else streams).add_metric(labels[: 1 if labels[1] == "lag" else 2], count)
        elif kind == "hook" and len(labels) == 2:
            (hook_lines if labels[1] == "lines" else hooks).add_metric(
                labels[: 1 if labels[1] == "lines" else 2], count
            )
        elif kind == "violation" and len(labels) == 1:
            violations.add_metric(labels, count)
        elif kind == "suppressed" and len(labels) == 1:
            suppressed.add_metric(labels, count)
    yield from (turns, ingested, identity, sends, providers, spend, suppressed, violations, source, streams, lag)
    yield from (hooks, hook_lines)


def ages_of(due: Mapping[str, datetime], now: datetime) -> dict[str, float]:
    """Seconds of journey time for which the oldest thing that is due waits, by lane; 0: nothing does."""
    return {lane: max(0.0, (now - due[lane]).total_seconds()) if lane in due else 0.0 for lane in DUE_LANES}


def _ages(due: Mapping[str, datetime], now: datetime) -> Metric:
    family = GaugeMetricFamily(
        "orchestrator_oldest_due_seconds", "How long the oldest thing that is due has waited", labels=["lane"]
    )
    for lane, age in ages_of(due, now).items():
        family.add_metric([lane], age)
    return family


def _lanes(states: Sequence[LaneState]) -> Iterator[Metric]:
    passes = CounterMetricFamily("orchestrator_lane_passes", "Passes of a lane that came to their end", labels=["lane"])
    work = CounterMetricFamily("orchestrator_lane_work", "What a lane has done", labels=["lane"])
    failures = CounterMetricFamily(
        "orchestrator_lane_failures", "Passes of a lane that failed", labels=["lane", "cause"]
    )
    failing = GaugeMetricFamily("orchestrator_lane_failing", "Whether a lane's last pass failed", labels=["lane"])
    for state in states:
        passes.add_metric([state.name], state.passes)
        work.add_metric([state.name], state.work)
        failures.add_metric([state.name, "busy"], state.busy)
        failures.add_metric([state.name, "error"], state.failures)
        failing.add_metric([state.name], float(state.failing))
    yield from (passes, work, failures, failing)


def registry_of(running: Running) -> CollectorRegistry:
    """A registry of these figures alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(EngineFigures(running))
    return registry
