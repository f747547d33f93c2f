"""The table of countries and zones is the one that its source gives.

`python tests/core/time/test_country_zones.py > orchestrator/core/time/country_zones.py` writes it anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
import tzdata  # type: ignore[import-untyped]  # it has no annotations

FROM, TO = datetime(2025, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
# One official time in all of the country, whatever the source lists beside it.
OFFICIAL = {"CN": ("Asia/Shanghai",), "UA": ("Europe/Kyiv",)}

HEADER = '''"""The zones of each country, by ISO 3166 alpha-2 code: generated, not written.

Source: zone.tab of the IANA time zone database (public domain), as packaged by tzdata {version}; in its order. Zones
of one country whose clocks agree from {start} to {end} are one, named by the first (a research station's last).
China is Asia/Shanghai alone, Ukraine Europe/Kyiv: one time is official in all of it.
`tests/core/time/test_country_zones.py` writes this file and checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TZDATA_VERSION: Final = "{version}"

ZONES_OF_COUNTRY: Final[Mapping[str, tuple[str, ...]]] = {{
'''


def _clock(name: str) -> tuple[object, ...]:
    """All offsets of a zone in the years compared, with the instants at which they change."""
    package, _, file = name.rpartition("/")
    folder = resources.files("tzdata").joinpath("zoneinfo", *filter(None, package.split("/")))
    with folder.joinpath(file).open("rb") as stream:
        zone = ZoneInfo.from_file(stream, key=name)
    changes: list[object] = [FROM.astimezone(zone).utcoffset()]
    at = FROM
    while at < TO:
        low, high = at, at + timedelta(days=7)
        before, after = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
        if before != after:
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                if middle.astimezone(zone).utcoffset() == before:
                    low = middle
                else:
                    high = middle
            changes += [high, after]
        at += timedelta(days=7)
    return tuple(changes)


def table() -> dict[str, tuple[str, ...]]:
    """The zones of every country: names of the first of those that agree, in the order of zone.tab."""
    found: dict[str, dict[tuple[object, ...], str]] = {}
    for line in resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            alike, clock = found.setdefault(country, {}), _clock(name)
            if alike.setdefault(clock, name).startswith("Antarctica/"):
                alike[clock] = name
    return {country: tuple(names.values()) for country, names in sorted(found.items())} | OFFICIAL


def module_text() -> str:
    """The source of `country_zones.py`."""
    text = HEADER.format(version=tzdata.IANA_VERSION, start=FROM.year, end=TO.year - 1)
    for country, names in table().items():
        listed = ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "")
        line = f'    "{country}": ({listed}),\n'
        if len(line) > 121:
            line = f'    "{country}": (\n' + "".join(f'        "{name}",\n' for name in names) + "    ),\n"
        text += line
    return text + "}\n"


def test_the_shipped_table_is_what_its_source_gives() -> None:
    from orchestrator.core.time.country_zones import TZDATA_VERSION, ZONES_OF_COUNTRY

    if tzdata.IANA_VERSION != TZDATA_VERSION:
        pytest.skip(f"tzdata {tzdata.IANA_VERSION} is installed; the table was made from {TZDATA_VERSION}")
    assert dict(ZONES_OF_COUNTRY) == table()


def test_every_zone_of_the_table_exists_here() -> None:
    from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY
    from orchestrator.core.time.zones import zone_or_none

    assert all(zone_or_none(name) for names in ZONES_OF_COUNTRY.values() for name in names)


if __name__ == "__main__":
    print(module_text(), end="")
