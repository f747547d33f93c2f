"""The engine's own figures in Prometheus' words: how late decisions are, and how its lanes fare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.channels.circuit import CircuitState, State
from orchestrator.runtime.lateness import BOUNDS, Lateness
from orchestrator.runtime.loop import LaneState

Circuits = Callable[[], Mapping[str, CircuitState]]


class EngineFigures(Collector):
    """Read anew whenever somebody asks."""

    def __init__(self, lateness: Lateness, states: Callable[[], Sequence[LaneState]], circuits: Circuits) -> None:
        self._lateness = lateness
        self._states = states
        self._circuits = circuits

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        seen = self._lateness.seen()
        upto, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), seen.counts):
            upto += count
            buckets.append((bound, upto))
        late = "Seconds of journey time between the due instant of a turn's oldest item and the turn"
        yield HistogramMetricFamily("orchestrator_lateness_seconds", late, buckets=buckets, sum_value=seen.seconds)
        passes = CounterMetricFamily(
            "orchestrator_lane_passes", "Passes of a lane that came to their end", labels=["lane"]
        )
        work = CounterMetricFamily("orchestrator_lane_work", "What a lane has done", labels=["lane"])
        failures = CounterMetricFamily(
            "orchestrator_lane_failures", "Passes of a lane that failed", labels=["lane", "cause"]
        )
        failing = GaugeMetricFamily("orchestrator_lane_failing", "Whether a lane's last pass failed", labels=["lane"])
        for state in self._states():
            passes.add_metric([state.name], state.passes)
            work.add_metric([state.name], state.work)
            failures.add_metric([state.name, "busy"], state.busy)
            failures.add_metric([state.name, "error"], state.failures)
            failing.add_metric([state.name], float(state.failing))
        yield from (passes, work, failures, failing)
        stands = "Whether a channel's circuit is in this state; while it is open nothing is handed over"
        circuit = GaugeMetricFamily("orchestrator_channel_circuit", stands, labels=["channel", "state"])
        for channel, found in sorted(self._circuits().items()):
            for state_name in get_args(State):
                circuit.add_metric([channel, state_name], float(found.state == state_name))
        yield circuit


def registry_of(lateness: Lateness, states: Callable[[], Sequence[LaneState]], circuits: Circuits) -> CollectorRegistry:
    """A registry of these figures alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(EngineFigures(lateness, states, circuits))
    return registry
