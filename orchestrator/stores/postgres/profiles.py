"""Classes over all customers, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestrator.core.rfm import Classes, RfmSpec
from orchestrator.stores import rfm_rows
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.groups import PostgresGroups
from orchestrator.stores.protocol_profiles import RfmChange, RfmRun


class PostgresProfiles(PostgresGroups):
    """The part of the store that works out what concerns all customers."""

    def rfm_begin(self, occurrence: str, at: datetime, spec: RfmSpec) -> bool:
        """Work out the bounds."""
        with self.db.write() as c:
            return rfm_rows.begin(run_on(c), occurrence, at, spec, _worth(spec))

    def rfm_next(self, spec: RfmSpec) -> tuple[RfmRun, Sequence[RfmChange]] | None:
        """The next part."""
        with self.db.read() as c:
            return rfm_rows.next_part(run_on(c), spec, _worth(spec))

    def rfm_done(self, run: RfmRun, changes: Sequence[RfmChange]) -> None:
        """Note a part."""
        with self.db.write() as c:
            rfm_rows.done(run_on(c), run, changes)

    def rfm_last(self) -> RfmRun | None:
        """The latest run."""
        with self.db.read() as c:
            return rfm_rows.latest(run_on(c))

    def rfm_sizes(self) -> Mapping[Classes, int]:
        """Customers by class."""
        with self.db.read() as c:
            return rfm_rows.sizes(run_on(c))


def _worth(spec: RfmSpec) -> rfm_rows.Worth:
    """What is no number counts as nothing."""
    path = list(spec.path)
    sql = (
        "CASE WHEN jsonb_typeof(e.properties::jsonb #> ?) = 'number' "
        "THEN CAST(e.properties::jsonb #>> ? AS numeric) END"
    )
    return rfm_rows.Worth(sql, (path, path))
