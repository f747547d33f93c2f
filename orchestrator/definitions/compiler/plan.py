"""What the compilation of one journey needs to know about all the others and about the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from orchestrator.core.expression.types import Types
from orchestrator.definitions.compiler.carriers import TemplateNames
from orchestrator.definitions.compiler.names import Names, Readings
from orchestrator.records import dataclass


def no_template(channel: str, name: str) -> frozenset[str]:
    """Template names of a project without templates."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """The project as far as journeys are checked against it.

    `types` holds the tracking plan and all names, without event, entry, results and steps; `enrolled_with` the names of
    values that `enroll` steps give, by journey; `hushed` the codes of findings that would say nothing, because the
    file that declares the names could not be read.
    """

    types: Types = field(default_factory=Types)
    currency: str | None = None
    template_names: TemplateNames = no_template
    enrolled_with: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hushed: frozenset[str] = frozenset()
    readings: Readings = field(default_factory=Readings, repr=False)

    def outside(self) -> Names:
        """What expressions may name outside of any journey: in segments and stage rules."""
        return Names(self.types, {}, self.hushed, self.readings)
