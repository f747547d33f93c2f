"""`compliance:` and holidays of project.yaml: the plan of quiet hours that depend on where a customer is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orchestrator.compliance.packs import PACKS, load_pack
from orchestrator.compliance.quiet import Kept, placed_rules, places_of
from orchestrator.core.expression.builtin_events import EVENTS
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.project import ImpliedConsent, PackChange, QuietRule
from orchestrator.core.quiet_plan import PlacedQuiet, Places, QuietPlan
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import QuietHours, QuietTimes, QuietWindow
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import PackOptions, ProjectModel

ALL_PACKS = "auto"


class Keeping(NamedTuple):
    """What a project keeps of laws: the plan of its quiet hours where they depend on the place, and its packs."""

    plan: QuietPlan | None = None
    packs: tuple[str, ...] = ()
    changes: tuple[PackChange, ...] = ()


def compile_compliance(model: ProjectModel, own: QuietRule | None, fields: Fields) -> Keeping:
    """The plan, with the project's own quiet hours in it. None where they are the same everywhere."""
    kept = tuple(kept_packs(model, fields))
    holidays = model.quiet_hours is not None and model.quiet_hours.holidays
    if not kept and not holidays:
        return Keeping()
    rules = tuple(placed_rules(kept))
    if own is not None:
        rules = (_own(own, holidays, model.country), *rules)
    known = places_of(kept) if kept else Places()
    changes = tuple(change for one in kept if (change := _change(one)) != PackChange(one.pack.name))
    return Keeping(QuietPlan(rules, known), tuple(one.pack.name for one in kept), changes)


def _change(kept: Kept) -> PackChange:
    unknown = None if kept.strict in (None, kept.pack.strict) else "strictest" if kept.strict else "none"
    return PackChange(kept.pack.name, tuple(sorted(kept.left_out)), kept.codes, unknown)


def kept_packs(model: ProjectModel, fields: Fields | None = None) -> Iterator[Kept]:
    """The packs that a project names, each with what it keeps otherwise. What is wrong goes to `fields`."""
    named = {name: PackOptions() for name in PACKS} if ALL_PACKS in model.compliance else {}
    for name, options in model.compliance.items():
        if name in PACKS:
            named[name] = options
        elif name != ALL_PACKS and fields is not None:
            known = ", ".join((ALL_PACKS, *PACKS))
            hint = did_you_mean(name, (ALL_PACKS, *PACKS)) or f"there are {known}"
            fields.complain(("compliance",), "unknown_pack", f"there is no compliance pack '{name}'", hint)
    for name, options in named.items():
        pack = load_pack(name)
        rules = [rule.id for rule in pack.quiet]
        for word in options.leave_out:
            if word not in rules and fields is not None:
                message = f"the pack '{name}' has no rule '{word}' about hours"
                hint = did_you_mean(word, rules) or (f"it has {', '.join(rules)}" if rules else "it has none")
                fields.complain(("compliance", name, "leave_out"), "unknown_pack_rule", message, hint)
        strict = None if options.unknown_country is None else options.unknown_country == "strictest"
        yield Kept(pack, options.codes, frozenset(options.leave_out), strict)


def compile_implied(model: ProjectModel, declared: frozenset[str] | None, fields: Fields) -> tuple[ImpliedConsent, ...]:
    """Which events imply consent. `declared` are the events of the tracking plan; None: not known in full."""
    listed = model.topics.items()
    topics = [name for name, topic in listed if topic.class_ == "promotional" and topic.opt_in == "single"]
    found: list[ImpliedConsent] = []
    for name, options in model.compliance.items():
        if options.implied_by is None or name not in PACKS:
            continue
        pack = load_pack(name)
        for given_by in ("purchase", "inquiry"):
            events: list[str] = getattr(options.implied_by, given_by)
            at = ("compliance", name, "implied_by", given_by)
            rules = [rule for rule in pack.consent if rule.basis == "implied" and given_by in rule.given_by]
            if events and not rules:
                message = f"the pack '{name}' knows no consent by {given_by}"
                fields.complain(at, "bad_value", message, "leave it out: there, people have to opt in, or may opt out")
            for event in events:
                if declared is not None and event not in declared and event not in EVENTS:
                    hint = did_you_mean(event, declared) or "declare it in journeys/schema.yaml"
                    fields.complain(at, "unknown_event", f"there is no event '{event}'", hint)
                for rule in rules:
                    lasts = pack.implied_for(min(rule.channels), given_by)
                    if lasts is not None:
                        places = tuple((topic, channel) for topic in topics for channel in sorted(rule.channels))
                        found.append(ImpliedConsent(event, given_by, name, pack.countries, places, lasts))
    return tuple(found)


def _own(own: QuietRule, holidays: bool, country: str | None) -> PlacedQuiet:
    """The project's own quiet hours, as one rule of the plan."""
    match own.hours:
        case QuietHours(start, end):
            windows = (QuietWindow(start, end),) if start != end else ()
        case QuietTimes(windows=windows):
            pass
    return PlacedQuiet(
        name="project",
        windows=windows,
        holidays=holidays,
        calendar=Calendar(country.upper()) if holidays and country else None,
        classes=own.classes,
        channels=own.channels,
    )
