"""Coupon offers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.project import Offer, OfferLimits
from orchestrator.core.time.zones import to_utc
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.offers import Offer as OfferModel
from orchestrator.definitions.models.offers import OfferLimits as LimitsModel
from orchestrator.definitions.source import Path


def compile_offers(
    models: Mapping[str, OfferModel], fields: Fields, zone: ZoneInfo, currency: str | None
) -> dict[str, Offer]:
    """The offers by id. `zone` and `currency` are the project's."""
    return {name: _offer(name, model, fields, zone, currency) for name, model in models.items()}


def _offer(name: str, model: OfferModel, fields: Fields, zone: ZoneInfo, currency: str | None) -> Offer:
    conditions = {
        key: value
        for key, value in (
            ("products", list(model.conditions.products)),
            ("stores", list(model.conditions.stores)),
            ("except_products", list(model.conditions.except_products)),
            ("except_stores", list(model.conditions.except_stores)),
            ("personal", model.conditions.personal),
            ("channels", list(model.conditions.channels)),
            ("price_floor", model.price_floor),
        )
        if value
    }
    return Offer(
        id=name,
        title=model.title or "",
        discount=model.discount.model_dump(exclude_none=True),
        imported=model.codes.import_,
        prefix=model.codes.prefix,
        length=model.codes.length,
        valid_for=fields.duration(model.valid_for, (name, "valid_for")),
        valid_until=_end_of(model.valid_until, zone) if model.valid_until is not None else None,
        limits=_limits(model.limits, (name, "limits"), fields, currency),
        minimum_spend=model.conditions.minimum_spend,
        conditions=conditions,
        low_pool=model.low_pool,
        public=model.codes.public,
        valid_from=_begin_of(model.valid_from, zone) if model.valid_from is not None else None,
        on_rollback=model.on_rollback,
    )


def _limits(model: LimitsModel, path: Path, fields: Fields, currency: str | None) -> OfferLimits:
    each, budget = model.per_customer, model.budget
    return OfferLimits(
        total=model.total,
        per_customer=each.max if each is not None else None,
        per_customer_per=fields.fixed(each.per, (*path, "per_customer", "per")) if each is not None else None,
        per_day=model.per_day,
        budget=budget.amount if budget is not None else None,
        budget_currency=(budget.currency or currency) if budget is not None else None,
        budget_per_redemption=budget.per_redemption if budget is not None else None,
    )


def _begin_of(text: str, zone: ZoneInfo) -> datetime:
    """The instant from which codes are good: of a date its beginning, of a time without a zone that in the
    project's."""
    if len(text) == len("2026-12-31"):
        return to_utc(datetime.combine(date.fromisoformat(text), time(0)), zone)
    moment = datetime.fromisoformat(text)
    return to_utc(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


def _end_of(text: str, zone: ZoneInfo) -> datetime:
    """The instant at which a code ends: of a date its end, of a time without a zone that in the project's."""
    if len(text) == len("2026-12-31"):
        return to_utc(datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(0)), zone)
    moment = datetime.fromisoformat(text)
    return to_utc(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)
