"""Tools that read the project's files: list, show, lint, test, draw."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.program import Journey
from orchestrator.definitions.load import LoadedProject
from orchestrator.errors import Problem, ProjectInvalid, UsageError
from orchestrator.mcp.folder import READ, inside, listed, read_text
from orchestrator.mcp.tool import Arguments, Place, Tool, words

JOURNEY = words("The journey's id, as list_journeys tells it")


def problem_lines(problems: Iterable[Problem]) -> str:
    """One a line: ``file:line:col: message; what to do [code]``."""
    found = list(problems)
    if not found:
        return "no problems"
    errors = sum(problem.severity == "error" for problem in found)
    told = [f"{errors} errors, {len(found) - errors} warnings"]
    told += [("" if problem.severity == "error" else "warning: ") + problem.headline() for problem in found]
    return "\n".join(told)


def journey_of(loaded: LoadedProject, name: str) -> Journey:
    """A journey by its id. Raises ProjectInvalid where its file has errors, UsageError where there is none."""
    found = loaded.project.journeys.get(name)
    if found is not None:
        return found
    broken = [problem for problem in loaded.errors if Path(problem.path).stem == name]
    if broken:
        raise ProjectInvalid(broken)
    hint = did_you_mean(name, loaded.project.journeys) or f"there are: {', '.join(loaded.project.journeys) or 'none'}"
    raise UsageError(f"there is no journey {name!r}; {hint}", "unknown_journey")


def _list(place: Place, given: Arguments) -> str:
    loaded, problems = place.lint()
    out = []
    for id, source in sorted(loaded.sources.items()):
        journey = loaded.project.journeys.get(id)
        if journey is None:
            out.append(f"{id} ({source.document.path}): has errors; lint tells them")
            continue
        triggers = ", ".join(str(trigger.id) for trigger in journey.triggers)
        out.append(f"{id} ({source.document.path}): {journey.title or 'no title'}; entered by {triggers}")
    errors = sum(problem.severity == "error" for problem in problems)
    files = list(listed(place.root, READ))
    return "\n".join([f"{len(out)} journeys, {errors} errors in the files", *out, "", "files:", *files])


def _show(place: Place, given: Arguments) -> str:
    name = given["journey"]
    if "/" in name:
        return read_text(inside(place.root, name, READ))
    loaded, _ = place.lint()
    source = loaded.sources.get(name)
    if source is None:
        journey_of(loaded, name)
        raise UsageError(f"there is no journey {name!r}", "unknown_journey")
    return f"# {source.document.path}\n{read_text(loaded.root / source.document.path)}"


def _lint(place: Place, given: Arguments) -> str:
    _, problems = place.lint()
    if "path" in given:
        problems = tuple(one for one in problems if one.path.startswith(given["path"].rstrip("/")))
    return problem_lines(problems)


def _test(place: Place, given: Arguments) -> str:
    from orchestrator.testing.journey_tests import run_journey_tests

    loaded = place.valid()
    if "journey" in given:
        journey_of(loaded, given["journey"])
    results = run_journey_tests(loaded)
    chosen = [one for one in results if given.get("journey") in (None, one.journey)]
    failed = [one for one in chosen if not one.passed]
    out = [f"{len(chosen) - len(failed)} passed, {len(failed)} failed"]
    out += [
        f"{'ok    ' if one.passed else 'FAILED'} {one.journey}: {one.name} ({one.path}:{one.line})" for one in chosen
    ]
    out += [f"\n{one.journey}: {one.name}\n{one.failures}" for one in failed]
    return place.masks.text("\n".join(out))


def _graph(place: Place, given: Arguments) -> str:
    from orchestrator.insights.graph_model import graph_of
    from orchestrator.insights.mermaid import mermaid_text

    return mermaid_text(graph_of(journey_of(place.lint()[0], given["journey"])))


TOOLS = (
    Tool("list_journeys", "List the project's journeys (id, file, title, triggers) and its files.", _list),
    Tool(
        "show_journey",
        "Show a journey's file (YAML) by the journey's id, or any file below journeys/, templates/ or scenarios/ by "
        "its path.",
        _show, {"journey": words("A journey's id, or a path such as journeys/segments.yaml")}, ("journey",),
    ),
    Tool(
        "lint",
        "Show every problem in the project's files: file:line:column, what was found, what to do. Run it before and "
        "after each change.",
        _lint, {"path": words("Only what is in this file or folder")},
    ),
    Tool(
        "test", "Run the tests of journeys on a virtual clock; tells what differs from what was expected.", _test,
        {"journey": JOURNEY},
    ),
    Tool("graph", "Draw a journey as Mermaid text.", _graph, {"journey": JOURNEY}, ("journey",)),
)  # fmt: skip
