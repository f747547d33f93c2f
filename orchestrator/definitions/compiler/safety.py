"""What keeps a mistake small: costs of channels, the limit of spending, and who has to approve a deploy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.core.project import Approval, CanaryBounds, SpendLimit
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import Cost, ProjectModel


def compile_spend_limit(model: ProjectModel, fields: Fields) -> SpendLimit | None:
    """The limit; also finds costs without a currency, and those that a limit could not count."""
    limit = model.settings.spend_limit
    wanted = (limit.currency or model.currency) if limit is not None else None
    for channel, cost in _costs(model):
        currency = cost.currency or model.currency
        at = ("channels", channel, "cost")
        if currency is None:
            message = "this cost has no currency, and the project has none either"
            fields.complain(at, "missing_key", message, "add `currency: EUR` here, or to the project")
        elif limit is not None and wanted is not None and currency != wanted:
            message = f"this cost is in {currency}, and `spend_limit` counts {wanted}: it would count nothing of it"
            fields.complain(at, "bad_value", message, f"give the cost in {wanted}, or the limit in {currency}")
    if limit is None:
        return None
    place = ("settings", "spend_limit")
    per = fields.fixed(limit.per, (*place, "per")) or timedelta(0)
    if per <= timedelta(0):
        message = "`spend_limit` counts over no time at all"
        fields.complain((*place, "per"), "bad_value", message, "give a time, such as 1m or 1h")
        return None
    if wanted is None:
        message = "`spend_limit` has no currency, and the project has none either"
        fields.complain(place, "missing_key", message, "add `currency: EUR` here, or to the project")
        return None
    return SpendLimit(limit.amount, wanted, per)


def compile_approval(model: ProjectModel) -> Approval | None:
    """Who has to approve."""
    found = model.settings.approval
    return None if found is None else Approval(found.above, found.by)


def compile_canary(model: ProjectModel) -> CanaryBounds:
    """What stops a canary."""
    found = model.settings.canary
    given = (found.bounces, found.complaints, found.unsubscribes, found.render_errors)
    return CanaryBounds(*(percent / 100 for percent in given))


def _costs(model: ProjectModel) -> Iterator[tuple[str, Cost]]:
    for channel in type(model.channels).model_fields:
        found = getattr(model.channels, channel)
        if found is not None and found.cost is not None:
            yield channel, found.cost
