"""The shape of journey tests, for checking and for the published JSON Schema: given as a scenario, and what to expect.

There is one model for each output line, made from the tables in `expectation.py`, so that a key of another line is
found here and the nearest right one is told.
"""
# ruff: noqa: RUF012  (a model copies its defaults)

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model
from typing_extensions import TypeAliasType

from orchestrator.definitions.expectation import COMMON_KEYS, INSTANT_KEYS, LINE_KEYS, MAIN_KEYS
from orchestrator.definitions.field_kinds import OnlyTrue, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.scenario_item_models import ItemModel
from orchestrator.definitions.scenario_kinds import Given, Ident, When
from orchestrator.definitions.scenario_models import CustomerModel, RunModel
from orchestrator.definitions.shapes import ByKey


class LineBase(FileModel):
    """An output line, matched as a subset: `{TYPE: value of its main key, other keys...}`."""

    at: When | None = None
    """When: an instant, or an offset from the start."""
    count: Annotated[int, whole(0)] | None = None
    """Exactly so many such lines; default: at least one."""


def _line_model(kind: str) -> type[FileModel]:
    main = MAIN_KEYS[kind]
    what = f"its {main}; true: whatever it is" if main else "just true"
    fields: dict[str, Any] = {kind: (Given if main else OnlyTrue, Field(description=f"The line `{kind}`: {what}."))}
    for key in sorted((COMMON_KEYS | LINE_KEYS[kind]) - {main}):
        taken: Any = When if key in INSTANT_KEYS else Given
        field = Field(None, description="An instant, or an offset from the start." if key in INSTANT_KEYS else None)
        fields[f"{key}_" if key == "from" else key] = (taken | None if key in INSTANT_KEYS else taken, field)
    return create_model(f"{kind.title()}Line", __base__=LineBase, __doc__=f"An output line `{kind}`.", **fields)


LINES: dict[str, type[FileModel]] = {kind: _line_model(kind) for kind in MAIN_KEYS}
"""The models of output lines by their type."""

_COMMON = frozenset({"at", "count"}) | COMMON_KEYS.union(*LINE_KEYS.values())

_CODES = ("no_expectation", "two_expectations")

LineModel = TypeAliasType("LineModel", Annotated[Any, ByKey("an expected line", lambda: LINES, _CODES, common=_COMMON)])


class NotModel(FileModel):
    """`not: {message: last_call}`: no such line."""

    KIND: ClassVar[str] = "not"
    not_: LineModel
    """The line that must not be there."""


class MessagesModel(FileModel):
    """`messages: [first, second]`."""

    messages: list[Ident]
    """The templates of all messages, in order."""


class NoMessagesModel(FileModel):
    """`no_messages: true`."""

    no_messages: OnlyTrue
    """Nothing is sent."""


EXPECTATIONS: dict[str, type[FileModel]] = {
    **LINES,
    "not": NotModel,
    "messages": MessagesModel,
    "no_messages": NoMessagesModel,
}
"""All that may stand below `expect`, by its key."""

ExpectModel = TypeAliasType(
    "ExpectModel",
    Annotated[Any, ByKey("an expectation", lambda: EXPECTATIONS, _CODES, common=_COMMON)],
)


class TestModel(RunModel):
    """One given/expect test; it takes what a scenario takes."""

    __test__ = False  # no class for pytest to collect

    name: Ident
    """What the test shows."""
    customer: CustomerModel | None = None
    """The only customer; events without a `customer` are his."""
    events: list[ItemModel] = []
    """What happens, as `timeline`."""
    with_: list[Ident] = []
    """Other journeys that are live in this test."""
    expect: list[ExpectModel]
    """What must come of it, in any order."""


class TestsModel(FileModel):
    """A file below journeys/tests/: the tests of one journey."""

    __test__ = False

    journey: Ident
    """The journey's id."""
    tests: list[TestModel]
    """The tests."""


class OwnTestsModel(FileModel):
    """The tests that stand in a journey's own file."""

    tests: list[TestModel]
    """The tests."""
