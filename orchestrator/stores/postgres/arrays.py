"""Many values as one parameter: array literals that we write ourselves, far cheaper than lists that a driver converts.

FROM unnest(%s::bigint[], %s::text[]) AS j (shard, name)        with ints(...), texts(...)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_BARE: Final = '","'


def ints(values: Iterable[int | None]) -> str:
    """Whole numbers (and truths, as 0 and 1), for `%s::bigint[]`."""
    return "{" + ",".join(["NULL" if value is None else str(int(value)) for value in values]) + "}"


def texts(values: Sequence[str | None]) -> str:
    """Texts, for `%s::text[]`."""
    if not values:
        return "{}"
    if None not in values:
        joined = _BARE.join(values)  # type: ignore[arg-type]
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return '{"' + joined + '"}'
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
