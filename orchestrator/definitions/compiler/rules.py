"""What surrounds a journey's steps: variables, exits, updates, the goal, throttle, limits, lateness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.expression.text import quoted
from orchestrator.core.expression.types import OBJECT, Type
from orchestrator.core.program import ExitRule, Goal, Late, Limits, Migration, Throttle, UpdateRule
from orchestrator.definitions.compiler.fields import NOTHING, NUMBER, TEXT, Fields
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.types import event_record
from orchestrator.definitions.models.journey import EventExit, JourneyModel, LeftSegmentExit, WhenExit


def with_variables(model: JourneyModel, fields: Fields, outside: Names) -> Names:
    """The names inside the journey: those of `outside` and its variables, each of which may use those above it.

    A variable is evaluated where it is used, so it may look at an event; which one is not known here.
    """
    if not model.vars:
        return outside
    known: dict[str, Type] = {}
    made: dict[str, Expr] = {}
    for name, source in model.vars.items():
        names = outside.with_vars(replace(outside.types, event=OBJECT, vars=dict(known)), dict(made))
        expr = fields.expression(source, ("vars", name), names)
        known[name] = names.read(source).kind
        if expr is not NOTHING:
            made[name] = expr
    return outside.with_vars(replace(outside.types, vars=known), made)


def at_the_door(inside: Names) -> Names:
    """The names before anyone has entered: no entry, no results, and only variables that need neither."""
    free = {name: expr for name, expr in inside.vars.items() if not _needs_entry(expr, inside.vars)}
    kinds = {name: inside.types.vars[name] for name in free}
    return inside.with_vars(replace(inside.types, entry=None, results={}, vars=kinds), free)


def _needs_entry(expr: Expr, variables: Mapping[str, Expr]) -> bool:
    return bool(expr.needs.entry or expr.needs.results - variables.keys())


def compile_migration(model: JourneyModel, targets: Mapping[str, int], fields: Fields) -> Migration | None:
    """Who moves here from older versions. `targets` are the journey's own steps, without those of its exits."""
    if model.migrate is None:
        return None
    versions = model.migrate.from_
    if "any" in versions and len(versions) > 1:
        fields.complain(("migrate", "from"), "bad_value", "`any` stands alone: it names all other versions, too")
    for old, new in model.migrate.map.items():
        if new not in targets:
            hint = did_you_mean(new, sorted(targets)) or "give the step that is meant an `id`"
            message = f"there is no step '{new}' to move to, below `steps`"
            fields.complain(("migrate", "map", old), "unknown_step", message, hint)
    chosen = None if "any" in versions else frozenset(versions)
    return Migration(chosen, dict(model.migrate.map), model.migrate.removed)


def compile_exits(model: JourneyModel, first_steps: list[int], fields: Fields, names: Names) -> tuple[ExitRule, ...]:
    """The exits; `first_steps` are where their `do` lists begin, or END."""
    rules = []
    for number, (rule, do) in enumerate(zip(model.exit, first_steps, strict=True)):
        path = ("exit", number)
        match rule:
            case EventExit():
                seeing = names.seeing_event(event_record(rule.event, names.types))
                where = fields.optional(rule.where, (*path, "where"), seeing)
                rules.append(ExitRule(rule.reason or rule.event, rule.event, where, do=do))
            case WhenExit():
                when = fields.expression(rule.when, (*path, "when"), names)
                rules.append(ExitRule(rule.reason or "when", when=when, do=do))
            case LeftSegmentExit():
                condition = f"not in_segment({quoted(rule.left_segment)})"
                when = fields.expression(condition, (*path, "left_segment"), names, at=None)
                rules.append(ExitRule(rule.reason or "left_segment", when=when, do=do))
            case _:
                assert_never(rule)
    return tuple(rules)


def compile_updates(model: JourneyModel, fields: Fields, names: Names) -> tuple[UpdateRule, ...]:
    """The events that change `entry`."""
    return tuple(
        UpdateRule(
            rule.event,
            fields.optional(
                rule.where, ("update", number, "where"), names.seeing_event(event_record(rule.event, names.types))
            ),
        )
        for number, rule in enumerate(model.update)
    )


def compile_goal(model: JourneyModel, fields: Fields, names: Names) -> Goal | None:
    """The goal. `within` has fixed units: a day is 24 hours."""
    goal = model.goal
    if goal is None:
        return None
    names = names.seeing_event(event_record(goal.event, names.types))
    return Goal(
        event=goal.event,
        where=fields.optional(goal.where, ("goal", "where"), names),
        within=fields.fixed(goal.within, ("goal", "within")),
        value=fields.optional(goal.value, ("goal", "value"), names, NUMBER),
        currency=fields.optional(goal.currency, ("goal", "currency"), names, TEXT),
        exit=goal.exit,
    )


def compile_throttle(model: JourneyModel, fields: Fields) -> Throttle | None:
    """The rolling limit of messages."""
    if model.throttle is None:
        return None
    per = fields.fixed(model.throttle.per, ("throttle", "per"))
    assert per is not None
    return Throttle(model.throttle.max, per)


def compile_limits(model: JourneyModel) -> Limits:
    """The circuit breakers."""
    if model.limits is None:
        return Limits()
    return Limits(model.limits.entries_per_day, model.limits.messages_total)


def compile_late(model: JourneyModel, fields: Fields) -> Late | None:
    """What happens to a step that comes late."""
    if model.late is None:
        return None
    after = fields.fixed(model.late.after, ("late", "after"))
    assert after is not None
    return Late(after, model.late.then)
