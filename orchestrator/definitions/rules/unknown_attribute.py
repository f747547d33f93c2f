"""A trigger or a `set` names a customer attribute that schema.yaml does not declare, or one that steps cannot set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.core.expression.reserved import CUSTOMER
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import way_out
from orchestrator.errors import Problem

CODE: Final = "unknown_attribute"
SEVERITY: Final = "error"

_NOT_BY_SET: Final[Mapping[str, str]] = {
    "id": "the id of a customer never changes",
    "created_at": "it was noted when the customer came",
    "stage": "write `stage: name` as a step of its own",
    "tags": "write `add_tag: name` or `remove_tag: name`",
    "score": "write `score: {name: +10}` as a step of its own",
}


def check(subject: Subject) -> Iterator[Problem]:
    """Attributes in plain fields; those in expressions are the compiler's."""
    if not subject.sure("schema"):
        return
    known = {**subject.files.schema.customer, **CUSTOMER}
    for file in subject.journey_files:
        for mention in file.mentions.get("attribute", ()):
            name = mention.name.removeprefix("customer.").removeprefix("attributes.")
            declared = subject.files.schema.customer.get(name)
            if declared is not None and mention.key and (declared.computed or declared.formula):
                how = "`computed`" if declared.computed else "`formula`"
                message = f"`set` cannot change customer.{name}: schema.yaml says how it is worked out"
                yield file.problem(mention.path, CODE, message, f"take {how} out, or set another attribute", key=True)
            elif declared is not None and declared.formula:
                message = f"customer.{name} is a formula: it is worked out when it is read, and never changes by itself"
                hint = "use a segment with this condition, or an attribute that the formula rests on"
                yield file.problem(mention.path, CODE, message, hint)
            elif mention.key and name in _NOT_BY_SET:
                message = f"`set` cannot change customer.{name}"
                yield file.problem(mention.path, CODE, message, _NOT_BY_SET[name], key=True)
            elif name.partition(".")[0] not in known:
                hint = way_out(name, known, "declare it under `customer` in journeys/schema.yaml")
                message = f"no attribute '{name}' is declared"
                yield file.problem(mention.path, CODE, message, hint, key=mention.key)
