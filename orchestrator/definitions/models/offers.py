"""offers.yaml: coupon offers (the language reference, sections 8 and 12)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, RootModel, model_validator

from orchestrator.definitions.faults import fault, listed
from orchestrator.definitions.field_kinds import (
    Amount,
    CurrencyCode,
    Flag,
    Name,
    OneOf,
    Plain,
    Positive,
    PositiveAmount,
    whole,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.shapes import OneOrMany, Shorthand
from orchestrator.definitions.time_kinds import DateOrInstant, DurationText, FixedDuration


class Discount(FileModel):
    """`discount: {percent: 10}`, or amount, gift, points."""

    percent: PositiveAmount | None = None
    """So many percent off, up to 100."""
    amount: dict[CurrencyCode, PositiveAmount] | None = None
    """An amount off, by currency."""
    gift: Plain | None = None
    """The SKU of a gift."""
    points: Positive | None = None
    """Loyalty points."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = ("percent", "amount", "gift", "points")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f"has {len(given)}" if given else "has none"
            message = f"{{it}} takes one of {listed(kinds)}, and {found}"
            raise fault("bad_value" if given else "missing_key", message, at=given[1] if given else None)
        if self.percent is not None and self.percent > 100:
            raise fault("bad_value", f"`percent` takes a number up to 100, not {self.percent}", at="percent")
        return self


class Codes(FileModel):
    """`codes: {prefix: VIP, length: 8}`, or `{import: true}`."""

    prefix: Plain = ""
    """Stands before each code."""
    length: Annotated[int, whole(6, 32)] = 8
    """Characters without the prefix, the check digit included."""
    import_: Flag = False
    """Codes come from an imported pool instead."""
    public: Plain | None = None
    """One code for everybody, such as SUMMER26: no journey issues it, and the limits count its redemptions."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.public is not None and (self.import_ or self.prefix):
            raise fault("bad_value", "`public` is the one code; it stands alone", at="public")
        return self


class PerCustomer(FileModel):
    """`per_customer: {max: 1, per: 30d}`."""

    max: Positive
    """So many codes at most."""
    per: FixedDuration | None = None
    """In any time of this length; without it for ever."""


class Budget(FileModel):
    """`budget: {amount: 5000, currency: EUR, per_redemption: 20}`."""

    amount: PositiveAmount
    """What the offer may cost."""
    currency: CurrencyCode | None = None
    """In which money; default: the project's."""
    per_redemption: PositiveAmount | None = None
    """What one redemption is reckoned at."""


class OfferLimits(FileModel):
    """`limits:`."""

    total: Positive | None = None
    """So many codes in all."""
    per_customer: Annotated[PerCustomer, Shorthand("max", {"type": "integer", "minimum": 1})] | None = None
    """So many for one customer: a number, or {max, per}."""
    per_day: Positive | None = None
    """So many on one day of the project's zone."""
    budget: Budget | None = None
    """So much money."""


class Conditions(FileModel):
    """`conditions:`: what a redemption must meet."""

    minimum_spend: Amount | None = None
    """The order's total at least."""
    products: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Only with one of these products."""
    stores: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Only in these stores."""
    except_products: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Nothing off these products."""
    except_stores: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Not in these stores."""
    personal: Flag = False
    """Only for the customer to whom the code was given: the till has to say who it is."""
    channels: Annotated[list[Channel], OneOrMany()] = Field(default_factory=no_items)
    """Only for codes sent on these channels."""


class Offer(FileModel):
    """A coupon offer."""

    title: Plain | None = None
    """What people call it."""
    note: Plain | None = None
    """A remark for people."""
    discount: Discount
    """What it is worth."""
    codes: Codes = Field(default_factory=Codes)
    """How its codes are made."""
    valid_for: DurationText | None = None
    """How long a code is good after issue; `valid_until` if that is earlier."""
    valid_from: DateOrInstant | None = None
    """The first moment of all codes; a date is its beginning in the project's zone."""
    valid_until: DateOrInstant | None = None
    """The last moment of all codes; a date is its end in the project's zone."""
    limits: OfferLimits = Field(default_factory=OfferLimits)
    """How many are granted."""
    conditions: Conditions = Field(default_factory=Conditions)
    """What a redemption must meet."""
    low_pool: Positive | None = None
    """An alert when fewer codes than this are left."""
    price_floor: Amount | None = None
    """No order becomes cheaper than this."""
    on_rollback: Annotated[Literal["issued", "void"], OneOf()] = "issued"
    """What a code is whose order was cancelled: issued again, or void."""

    LATER: ClassVar[Mapping[str, str]] = {"stacking": "several coupons on one order"}


class OffersModel(RootModel[Any]):
    """Offers by name."""

    model_config = ConfigDict(defer_build=True)

    root: dict[Name, Offer]
