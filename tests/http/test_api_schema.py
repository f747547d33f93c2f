"""The API against its own description: the document is OpenAPI 3.1, and generated requests find nothing that it does
not say (schemathesis)."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Unsatisfiable

from orchestrator.http.app import make_app
from tests.http.api_seeded import PEOPLE, seeded
from tests.http.installation import BASE, Installation
from tests.in_full import IN_FULL

schemathesis = pytest.importorskip("schemathesis", reason="the extra `dev` brings it")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

CASES: Final = 60 if IN_FULL else 1
"""Generated requests for each operation, of those that the schema allows and of those that it does not."""
_KEY: Final = {"Authorization": "Basic " + b64encode(b"secret:").decode()}
_MEANT: Final = ["401", "403", "404", "409", "410", "412", "422", "429"]
_LENIENT: Final = "/v1/"
"""The tracking API takes what clients send, and lists what it could not take: an instant before 1970, an id of blanks.
"""
_ERASES: Final = {("DELETE", "/api/v1/customers/{id}")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = seeded(tmp_path_factory.mktemp("seeded") / "api.db")
    made.api_keys = made.write_keys = frozenset({"secret"})  # one of them is made by a generated request
    return made


@pytest.fixture(scope="module")
def schema(site: Installation) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(site), config=_config())


def _config() -> Any:
    from schemathesis.config import SchemathesisConfig

    return SchemathesisConfig.from_dict({
        "generation": {"allow-x00": False, "codec": "utf-8"},
        # What no schema can say (a topic that is not there) is 422; what cannot be read is 400, and is no valid data.
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *_MEANT]}},
    })  # fmt: skip


def known_ids(site: Installation) -> dict[str, list[str]]:
    """What stands in paths, and is there."""
    messages = [m.row.id for m in site.store.latest_messages(10)]
    tasks = [task.id for customer in PEOPLE for task in site.store.tasks_of(customer)]
    passages = [e.id for customer in PEOPLE for e in site.store.passages(customer, None, 10)]
    journeys = list(site.store.index.project.journeys)
    return {
        "customers": list(PEOPLE), "messages": messages, "tasks": tasks, "journeys": journeys, "offers": ["ten"],
        "{enrollment}": passages,
    }  # fmt: skip


def _aimed(case: Any, ids: dict[str, list[str]], number: int) -> None:
    """Let most cases be about something that is there."""
    kind = case.path.split("/")[3]
    parameters = case.path_parameters
    if number % 3 == 0 or not parameters:
        return
    for name in parameters:
        known = ids.get("{" + name + "}") or (ids.get(kind) if name == "id" else None)
        if known:
            parameters[name] = known[number % len(known)]


def run_operation(operation: Any, site: Installation, mode: Any, cases: int) -> None:
    """So many requests to one operation, each answered as the document says."""
    from hypothesis import given

    ids, numbers = known_ids(site), iter(range(10**6))

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case: Any) -> None:
        left_out: list[Any] = []
        if mode is schemathesis.GenerationMode.POSITIVE and case.path.startswith("/api/"):
            _aimed(case, ids, next(numbers))
            case.query.pop("cursor", None)  # nobody can make one up
        elif case.path.startswith(_LENIENT):
            left_out = [checks.negative_data_rejection, checks.positive_data_acceptance]
        response = case.call(base_url=BASE, headers=_KEY)
        case.validate_response(response, excluded_checks=left_out)

    with suppress(Unsatisfiable):  # nothing can be wrong about some
        check()


def test_generated_requests_find_nothing(schema: Any, site: Installation) -> None:
    found = []
    for number, result in enumerate(schema.get_all_operations()):
        operation = result.ok()
        if (operation.method.upper(), operation.path) in _ERASES:
            continue
        modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
        for mode in modes if IN_FULL else modes[number % 2 :][:1]:
            try:
                run_operation(operation, site, mode, CASES)
            except BaseException as error:
                found.append(f"{operation.label} {mode.value}: {error}")
    assert found == [], "\n\n".join(found)
