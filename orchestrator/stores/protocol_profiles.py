"""What a store keeps about profiles beside the customers themselves: the quantiles over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from orchestrator.core.rfm import Bounds, Classes, RfmSpec
from orchestrator.stores.protocol_groups import GroupsStore


class RfmRun(NamedTuple):
    """One time at which classes were worked out. `occurrence` is its local minute; `at` what it looked back from.

    `next_shard`: where it goes on; None: it is done.
    """

    occurrence: str
    at: datetime
    customers: int
    classes: int
    bounds: Bounds
    next_shard: int | None = None


class RfmChange(NamedTuple):
    """A customer whose classes are others than before; None: there is nothing to class any more."""

    customer: str
    key: tuple[int, int]
    classes: Classes | None


class ProfilesStore(GroupsStore, Protocol):
    """See orchestrator.stores.protocol.Store."""

    def rfm_begin(self, occurrence: str, at: datetime, spec: RfmSpec) -> bool:
        """Work out the bounds over all customers as of an instant, once for each occurrence. Whether that was news."""

    def rfm_next(self, spec: RfmSpec) -> tuple[RfmRun, Sequence[RfmChange]] | None:
        """The next part of the customers of a run that is not done, as far as their classes changed; None: all are
        done."""

    def rfm_done(self, run: RfmRun, changes: Sequence[RfmChange]) -> None:
        """A part has been told to the customers: note their classes, and go on with the next. Again, it does
        nothing."""

    def rfm_last(self) -> RfmRun | None:
        """The latest run."""

    def rfm_sizes(self) -> Mapping[Classes, int]:
        """How many customers are in each class now."""
