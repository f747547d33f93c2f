"""Tools that look at an installation: its health, its customers, sizes of segments, what a deploy would change."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Final

from orchestrator.core.customer import Customer
from orchestrator.core.expression.check import check
from orchestrator.core.index import Index, exprs_of
from orchestrator.definitions.expressions import ExpressionSyntax, build_expr
from orchestrator.errors import UsageError
from orchestrator.mcp.limits import as_text
from orchestrator.mcp.project_tools import problem_lines
from orchestrator.mcp.tool import Arguments, Place, Tool, number, within, words

MOST_FOUND: Final = 50


def _doctor(place: Place, given: Arguments) -> str:
    from orchestrator.wiring.checks import examine

    found = list(examine(place.root, place.database, place.broker, os.environ, lambda root: place.lint()[1]))
    wrong = sum(finding.state == "wrong" for finding in found)
    out = [f"{wrong} wrong" if wrong else "nothing is wrong"]
    out += [f"{one.state}: {one.name}: {one.words}" + (f" ({one.hint})" if one.hint else "") for one in found]
    return place.masks.text("\n".join(out))


def _search(place: Place, given: Arguments) -> str:
    from orchestrator.wiring.installation import installation

    most, text = within(given, "limit", 20, MOST_FOUND), given["text"]
    with installation(place.root, place.database, place.broker) as opened:
        exact = opened.store.profile(text)
        found = list(opened.store.profiles(text, "", most + 1)) if text else []
    if exact is not None and exact.id not in {one.id for one in found}:
        found.insert(0, exact)
    masks = place.masks
    shown = [_shown(one, place) for one in found[:most]]
    more = "\n[left out: there are more; give more of the id]" if len(found) > most else ""
    return masks.text(as_text(shown)) + more if shown else "nobody has an id that begins so"


def _shown(customer: Customer, place: Place) -> dict[str, Any]:
    whole = {
        "id": customer.id, "email": customer.email, "phone": customer.phone, "country": customer.country,
        "locale": customer.locale, "timezone": customer.timezone, "stage": customer.stage, "tags": list(customer.tags),
        "segments": sorted(customer.segments), "attributes": dict(customer.attributes),
    }  # fmt: skip
    hide = place.masks.value
    return {name: value if name == "id" else hide(name, value) for name, value in whole.items() if value}


def _preview(place: Place, given: Arguments) -> str:
    from orchestrator.runtime.segments import preview
    from orchestrator.wiring.installation import installation

    with installation(place.root, place.database, place.broker) as opened:
        project = opened.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        exprs = [segment.where for segment in project.segments]
        exprs += [expr for journey in project.journeys.values() for expr in exprs_of(journey)]
        types = next((expr.types for expr in exprs if expr.types is not None), None)
        if types is not None:
            types = replace(types, event=None, entry=None, results={}, vars={}, steps=frozenset())
        try:
            expr = build_expr(given["where"], types=types)
        except ExpressionSyntax as error:
            raise UsageError(f"the condition cannot be read, at character {error.offset + 1}: {error}") from None
        for finding in check(expr.node, types)[1] if types is not None else ():
            way_out = f"; {finding.hint}" if finding.hint else ""
            raise UsageError(f"at character {finding.offset + 1}: {finding.message}{way_out}", finding.code)
        index = Index(project)
        found = preview(
            opened.store, expr, index, opened.journey_now(), 2.0, 5 if place.personal else 0, given["where"]
        )
    told = {key: value for key, value in found._asdict().items() if key != "parts" and value != ()}
    return as_text(told | {"not_counted_by_the_database": [part.text for part in found.parts]})


def _deploy_dry_run(place: Place, given: Arguments) -> str:
    from orchestrator.runtime.deployment import revive
    from orchestrator.runtime.differences import difference
    from orchestrator.wiring.databases import database_of
    from orchestrator.wiring.installation import installation, settings_of

    loaded, problems = place.lint()
    if any(problem.severity == "error" for problem in problems):
        return "this could not be deployed:\n" + problem_lines(problems)
    if not database_of(settings_of(place.database, place.broker), place.root).exists:
        found = difference(None, loaded, {})
    else:
        with installation(place.root, place.database, place.broker) as opened:
            revived = revive(opened.store)
            found = difference(revived.live, loaded, opened.store.standing(), revived.older)
    if not found.any:
        return "nothing differs from what is deployed"
    journeys = [
        {
            "journey": one.journey, "what": one.what, "running": one.number(), "moving": one.number("move"),
            "leaving": one.number("exit", "complete"), "keys": list(one.keys),
            "steps": [f"{step.what} {step.step}" + (f" -> {step.to}" if step.to else "") for step in one.steps],
        }
        for one in found.journeys
    ]  # fmt: skip
    parts = [f"{part.what} {part.kind} {part.name}" for part in found.parts]
    told = as_text({"journeys": journeys, "parts": parts})
    return f"{told}\nNothing was deployed; a person does that with `orchestrator deploy`."


TOOLS = (
    Tool("doctor", "Say what is wrong with this installation, and what to do. Changes nothing.", _doctor),
    Tool(
        "search_customers",
        "Find customers of the installation whose ids begin so. Names, addresses and numbers are masked unless the "
        "server was started with --personal.",
        _search, {"text": words("An id, or its beginning"), "limit": number("At most so many; 20", 1, MOST_FOUND)},
        ("text",),
    ),
    Tool(
        "segment_preview",
        "How many customers of the installation a condition is true for, before it is written into a file.",
        _preview, {"where": words("The condition, such as count('order_placed', within='30d') > 2", 4_000)}, ("where",),
    ),
)  # fmt: skip
DRY_RUN = Tool(
    "deploy_dry_run",
    "What a deploy of the files would change, for whom, and how many enrollments would move. Deploys nothing.",
    _deploy_dry_run,
)
