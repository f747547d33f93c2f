"""From a project's folder to what the engine runs: every file read, checked and compiled, with all problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.core.project import Project
from orchestrator.definitions.collector import NEVER, seldom_collected
from orchestrator.definitions.compiler.flow import walk
from orchestrator.definitions.compiler.journey import JourneySource, compile_journey
from orchestrator.definitions.compiler.plan import Plan
from orchestrator.definitions.compiler.project import compile_project, hushed_codes, project_types
from orchestrator.definitions.compiler.templates import ProjectTemplates, names_in_templates, template_types
from orchestrator.definitions.compiler.tree import tree_of
from orchestrator.definitions.compiler.types import enrolled_with
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.project_files import ProjectFiles, load_project_files
from orchestrator.definitions.source import Document
from orchestrator.definitions.validation import in_order
from orchestrator.errors import Problem, ProjectInvalid
from orchestrator.records import dataclass
from orchestrator.templating.built_in import with_built_in
from orchestrator.templating.loading import load_templates
from orchestrator.templating.templates import TemplateLibrary


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A project as loaded. `problems` holds all that is wrong, by path and place; what could be compiled is there."""

    root: Path
    project: Project
    """What the engine runs. Journeys with errors are not in it."""
    problems: tuple[Problem, ...]
    """Those of reading, checking and compiling; lint's rules add their own."""
    files: ProjectFiles
    """The models of every file."""
    templates: TemplateLibrary
    """The template files."""
    sources: Mapping[str, JourneySource]
    """By id: each journey whose file could be read, with its model, document, and program if it has one."""
    plan: Plan
    """Types and names against which journeys are checked."""

    @property
    def documents(self) -> Mapping[str, Document]:
        """Every YAML file by its path relative to `root`."""
        return self.files.documents

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no mere warnings."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def ok(self) -> bool:
        """No errors; there may be warnings."""
        return not self.errors

    def require_valid(self) -> LoadedProject:
        """The project itself. Raises ProjectInvalid with every problem where there is an error among them."""
        if not self.ok:
            raise ProjectInvalid(self.problems)
        return self


def load_project(root: Path, *, only: Sequence[Path] | None = None) -> LoadedProject:
    """Load the project folder `root` (the one that holds journeys/ and templates/).

    Never raises for what files hold. With `only`, just the problems of these files and folders are told; everything is
    read all the same, because names may be declared anywhere.
    """
    with seldom_collected(NEVER):
        return _load(root, only)


def _load(root: Path, only: Sequence[Path] | None) -> LoadedProject:
    files = load_project_files(root)
    templates = load_templates(root)
    if any(topic.opt_in == "double" for topic in files.project.topics.values()):
        templates = with_built_in(templates)
    plan = _plan(files, templates)
    sources = {name: compile_journey(model, document, plan) for name, (model, document) in files.journeys.items()}
    project, problems = compile_project(
        files,
        plan.outside(),
        {name: source.journey for name, source in sources.items() if source.journey is not None},
        ProjectTemplates(templates, template_types(sources.values(), plan.types), plan.types),
    )
    told = [*files.problems, *templates.problems, *problems]
    told += [problem for source in sources.values() for problem in source.problems]
    if only is not None:
        told = [problem for problem in told if _within(root, problem.path, only)]
    return LoadedProject(root, project, tuple(in_order(told)), files, templates, sources, plan)


def _plan(files: ProjectFiles, templates: TemplateLibrary) -> Plan:
    names = frozenset(name for _, name in templates.sets)
    return Plan(
        types=project_types(files, names),
        currency=files.project.currency,
        template_names=names_in_templates(templates),
        enrolled_with=_enrolled_with(files.journeys.values()),
        hushed=hushed_codes(files),
    )


def _enrolled_with(journeys: Iterable[tuple[JourneyModel, Document]]) -> dict[str, frozenset[str]]:
    """By journey, the names of the values that other journeys' `enroll` steps give to it."""
    found: dict[str, set[str]] = {}
    for model, document in journeys:
        if "enroll" not in document.text:
            continue
        lists = [model.steps, *(rule.do for rule in model.exit)]
        for steps in lists:
            for journey, names in enrolled_with(walk(tree_of(steps, ()))).items():
                found.setdefault(journey, set()).update(names)
    return {journey: frozenset(names) for journey, names in found.items()}


def _within(root: Path, path: str, only: Sequence[Path]) -> bool:
    place = (root / path).resolve()
    return any(place.is_relative_to(chosen.resolve()) for chosen in only)
