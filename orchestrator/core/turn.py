"""One customer's part of a turn: what decisions read of it, and where they are written down.

The rules live in the modules beside this one (events, profile, entering, advance, waiting, guard, steps/): they are
functions over a CustomerTurn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.core.enrollment import Enrollment
from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.scope import Scope
from orchestrator.core.facts import TurnFacts
from orchestrator.core.pools import WorkingPools
from orchestrator.core.program import CUSTOMER_ZONE, Journey, StepBase, ZoneRule
from orchestrator.core.scores import Scores
from orchestrator.core.time.zone_in_force import ZoneInForce, zone_in_force
from orchestrator.core.time.zones import zone_or_none
from orchestrator.core.turn_state import TurnState
from orchestrator.core.view import View
from orchestrator.errors import EvaluationError

_NO_RESULTS: dict[str, Any] = {}


class CustomerTurn(TurnState):
    """The working state, and how expressions see it. `now` is the actual instant, `t` the instant of what is being
    decided (see advance)."""

    __slots__ = ("facts", "lateness_from", "looked_at", "scope")

    def __init__(self, view: View, pools: WorkingPools, now: datetime) -> None:
        super().__init__(view, pools, now)
        self.facts = TurnFacts(self)
        self.scope = _bare_scope(self.facts)
        self.lateness_from: datetime | None = None
        self.looked_at: dict[str, Any] | None = None

    def leave(self) -> None:
        """The view is done with. Turn and facts know of one another: taken apart, they are freed at once."""
        del self.facts, self.scope

    def take(self, at: datetime) -> None:
        """What was due or arrived at an instant is taken: at that instant, unless the engine came too late."""
        self.came_from = at
        if at >= self.punctual_from and not self.moved:
            self.t = at
        else:  # what comes behind something that was moved does not happen before it
            self.t, self.moved = self.now, True
        self.lateness_from = self.looked_at = None

    def customer_data(self) -> dict[str, Any]:
        """What `customer` is in expressions: attributes (declared defaults included) under the reserved names."""
        if self._data is None:
            c = self.customer
            self._data = {
                **self.index.defaults,
                **c.attributes,
                "id": c.id,
                "email": c.email,
                "phone": c.phone,
                "timezone": c.timezone,
                "locale": c.locale,
                "country": c.country,
                "currency": c.currency,
                "created_at": c.created_at,
                "tags": list(c.tags),
                "stage": c.stage,
                "score": Scores(self.project.scores, c.scores) if self.project.scores else None,
                "attributes": c.attributes,
            }
        return self._data

    def zone(self, rule: ZoneRule | None, e: Enrollment | None = None) -> ZoneInForce:
        """The zone in force under a `timezone:` rule (None: the customer's own)."""
        if rule is None or rule is CUSTOMER_ZONE or (rule.zone is None and rule.expr is None):
            return self._own_zone or self._zone_of_profile()
        if rule.expr is None:
            return zone_in_force(rule.zone, None, None, None, self.project.timezone)
        try:
            named = zone_or_none(rule.expr.evaluate(self.scope_of(e, None, self.zone(None).zone)))
        except EvaluationError:
            named = None
        return ZoneInForce(named, "step", (named,)) if named is not None else self.zone(None)

    def _zone_of_profile(self) -> ZoneInForce:
        """The customer's own zone. Most name one of a few, whatever else is known of them."""
        c = self.customer
        name = c.timezone
        zones = self.index.zones
        found = zones.get(name) if type(name) is str else None
        if found is None:
            found = zone_in_force(None, name, c.phone, c.country or None, self.project.timezone)
            if type(name) is str and found.link == "customer":
                zones[name] = found
        self._own_zone = found
        return found

    def forget_zones(self) -> None:
        """The profile changed: its zone is looked up anew."""
        self._own_zone = None

    def zone_of(self, e: Enrollment, step_rule: ZoneRule | None = None) -> ZoneInForce:
        """The zone in force for an enrollment's step."""
        return self.zone(step_rule or self.program(e).timezone, e)

    def zone_at(self, e: Enrollment, journey: Journey, step: StepBase) -> ZoneInForce:
        """The zone in force at a step of an enrollment's journey."""
        rule = step.timezone or journey.timezone
        return self._own_zone or self._zone_of_profile() if rule is CUSTOMER_ZONE else self.zone(rule, e)

    def scope_of(
        self,
        e: Enrollment | None,
        event: dict[str, Any] | None = None,
        zone: Any = None,
        with_customer: bool = True,
        journey: Journey | None = None,
    ) -> Scope:
        """The scope for an expression about an enrollment (or about the customer alone) at the present instant.

        `with_customer` False: for one that never says `customer`, whose data are half of what a scope costs. `journey`:
        the enrollment's, where it is at hand.
        """
        if zone is None:  # first of all, because a zone may be computed, too: in this same scope
            if journey is not None:
                rule = journey.timezone
            else:
                rule = self.program(e).timezone if e is not None else CUSTOMER_ZONE
            zone = (self._own_zone or self._zone_of_profile() if rule is CUSTOMER_ZONE else self.zone(rule, e)).zone
        scope = self.scope
        scope.customer = (self._data or self.customer_data()) if with_customer else _NO_RESULTS
        scope.event = self.looked_at if event is None else event
        scope.now = self.t
        scope.tracking = False
        scope.changes_at = None
        scope.zone = zone
        self.facts.enrollment = e
        if e is None:
            scope.entry = scope.loop = None
            scope.results = _NO_RESULTS
        else:
            scope.entry = e.entry
            scope.results = e.results
            scope.loop = {"index": next(reversed(e.loops.values())).number} if e.loops else None
        return scope

    def truth(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> bool:
        """Whether a condition holds (no condition always does). Raises DecisionError."""
        return expr is None or expr.truth(self.scope_of(e, event))

    def explain(self, expr: Expr | None, e: Enrollment | None, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The values that a condition was decided on."""
        return {} if expr is None else expr.explain(self.scope_of(e, event))


def _bare_scope(facts: TurnFacts) -> Scope:
    """The scope of a turn. All that an expression may see is set whenever one is asked for (see `scope_of`)."""
    scope = Scope.__new__(Scope)
    scope.facts = facts
    scope.it = scope.hoisted = None
    return scope
