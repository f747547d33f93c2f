"""What keeps it possible to split the database by shard: hot rows are found by their shard, and docs/scale.md tells of
every table that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from orchestrator.stores.schema import METADATA

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
SMALL: Final = "small"
"""A few rows for each installation, journey, channel or process: the same on every node, or kept on one."""
ARRIVES: Final = "by what it is asked for"
"""Found by an id from outside, which leads to a shard: spread by a hash of that."""
QUEUE: Final = "has a shard, and counts its rows"
"""Rows have a shard, and a number that the database counts: their key becomes (shard, number)."""
EXCEPTIONS: Final = {
    **dict.fromkeys(
        ("attempts", "audit", "circuits", "counts", "deployments", "fanout", "handed_over", "in_flight", "marks"), SMALL
    ),
    **dict.fromkeys(("meta", "quotas", "rates", "refused", "replies", "shards", "tallies", "versions"), SMALL),
    **dict.fromkeys(("feeds", "links", "rfm_runs", "segment_builds", "violations"), SMALL),
    **dict.fromkeys(("catalogs", "catalog_fills", "catalog_links", "catalog_rows"), SMALL),
    **dict.fromkeys(("catalog_changes", "catalog_waves"), SMALL),
    **dict.fromkeys(("answers", "api_keys", "groups"), ARRIVES),
    **dict.fromkeys(("codes", "erasures", "forwarding", "identifiers", "seen", "suppressions"), ARRIVES),
    **dict.fromkeys(("till_codes", "redemptions"), ARRIVES),
    **dict.fromkeys(("till_offers",), SMALL),
    **dict.fromkeys(("dead_letters", "fanout_shards", "inbox", "outbox", "requests", "rights"), QUEUE),
}


def test_every_other_primary_key_begins_with_the_shard() -> None:
    others = {table.name for table in METADATA.sorted_tables if next(iter(table.primary_key)).name != "shard"}
    assert others == EXCEPTIONS.keys()


def test_customers_stand_side_by_side_in_every_table_of_theirs() -> None:
    for table in METADATA.sorted_tables:
        key = [column.name for column in table.primary_key]
        if key[0] == "shard":
            assert key[:2] == ["shard", "id" if table.name == "customers" else "customer"], table.name


def test_what_waits_has_a_shard_to_be_split_by() -> None:
    for name, why in EXCEPTIONS.items():
        assert ("shard" in METADATA.tables[name].columns) or why != QUEUE, name


def test_the_page_tells_of_every_exception() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = {
        name: why
        for names, why in re.findall(r"^\| (`.+`) \| (.+?)[;:|]", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert {name: told.get(name, "").strip() for name in EXCEPTIONS} == EXCEPTIONS
