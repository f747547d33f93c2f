"""A whole project as read and checked, one file at a time: `load_project_files`.

What one file says about another (names, types) is looked at later, when everything is known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.catalogs import LARGEST_CATALOG, Catalog, catalog_from_csv, catalog_from_yaml
from orchestrator.definitions.models.forms import FormModel
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.offers import Offer, OffersModel
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.models.segments import Segment, SegmentsModel
from orchestrator.definitions.project_walk import FoundFile, walk_project
from orchestrator.definitions.source import Document
from orchestrator.definitions.text_files import LARGEST_FILE, decode_text, too_large
from orchestrator.definitions.validation import in_order, validate
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import Problem
from orchestrator.records import dataclass

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """Everything that a project's files say. `problems` holds all that is wrong, in the order of path and place.

    A journey with errors is not in `journeys`; the others are there. `unsure` names what could not be read in full
    (project, schema, segments, offers, catalogs, journeys): names that seem unknown may be in there.
    """

    root: Path
    documents: Mapping[str, Document]
    """Every YAML file by its path relative to `root`."""
    project: ProjectModel
    schema: SchemaModel
    segments: Mapping[str, Segment]
    offers: Mapping[str, Offer]
    catalogs: Mapping[str, Catalog]
    forms: Mapping[str, tuple[FormModel, Document]]
    """By id, in the order of paths; a form with errors is not among them."""
    journeys: Mapping[str, tuple[JourneyModel, Document]]
    """By id, in the order of paths."""
    journey_tests: tuple[Document, ...]
    """The files of journeys/tests/. Tests may also stand in a journey's document under `tests`."""
    templates: tuple[str, ...]
    """Paths of template files relative to `root`."""
    assets: tuple[str, ...]
    unsure: frozenset[str]
    broken_journeys: frozenset[str]
    """File names without ending of journeys that have errors."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """No errors; there may be warnings."""
        return not any(problem.severity == "error" for problem in self.problems)

    @property
    def journey_names(self) -> frozenset[str]:
        """Every journey's id, those with errors included."""
        return frozenset(self.journeys) | self.broken_journeys

    def lines_of(self, path: str) -> list[str]:
        """The lines of a file of the project, for showing a problem; none where it cannot be read."""
        if document := self.documents.get(path):
            return document.lines
        place = self.root / path
        try:
            if not place.is_file() or place.stat().st_size > LARGEST_CATALOG:
                return []
            return place.read_text(encoding="utf-8", errors="replace").splitlines()
        except (OSError, ValueError):
            return []


def load_project_files(root: Path) -> ProjectFiles:
    """Reads and checks every file of the project at `root`. Never raises for what files hold."""
    return _Loading(root).result()


@dataclass
class _Loading:
    root: Path
    documents: dict[str, Document] = field(default_factory=dict)
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    forms: dict[str, tuple[FormModel, Document]] = field(default_factory=dict)
    journeys: dict[str, tuple[JourneyModel, Document]] = field(default_factory=dict)
    tests: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def result(self) -> ProjectFiles:
        walk = walk_project(self.root)
        self.problems += walk.problems
        by_path = {found.path: found for found in walk.files}
        project = self._single(by_path, "project", ProjectModel)
        schema = self._single(by_path, "schema", SchemaModel)
        segments = self._single(by_path, "segments", SegmentsModel)
        offers = self._single(by_path, "offers", OffersModel)
        for found in walk.files:
            if found.kind == "catalog":
                self._catalog(found)
            elif found.kind == "form":
                self._form(found)
            elif found.kind == "journey":
                self._journey(found)
            elif found.kind == "tests":
                self._tests(found)
        return ProjectFiles(
            root=self.root,
            documents=self.documents,
            project=project or ProjectModel(),
            schema=schema or SchemaModel(),
            segments=segments.root if segments else {},
            offers=offers.root if offers else {},
            catalogs=self.catalogs,
            forms=self.forms,
            journeys=self.journeys,
            journey_tests=tuple(self.tests),
            templates=tuple(found.path for found in walk.files if found.kind == "template"),
            assets=tuple(found.path for found in walk.files if found.kind == "asset"),
            unsure=frozenset(self.unsure),
            broken_journeys=frozenset(self.broken - self.journeys.keys()),
            problems=tuple(in_order(self.problems)),
        )

    def _single(self, by_path: Mapping[str, FoundFile], kind: str, model: type[Model]) -> Model | None:
        path = f"journeys/{kind}.yaml"
        found = by_path.get(path)
        if found is None:
            if kind == "project" and (self.root / "journeys").is_dir():
                message = "there is no project.yaml, so the brand, zone, topics and channels are not known"
                hint = "write journeys/project.yaml; until then the zone is UTC and there are no topics"
                self.problems.append(Problem(path, 1, 1, "no_project_file", message, hint, "warning"))
            return None
        document = self._document(found)
        if document is None:
            self.unsure.add(kind)
            return None
        instance, problems = validate(document, model)
        self.problems += problems
        if instance is None:
            self.unsure.add(kind)
        return instance

    def _form(self, found: FoundFile) -> None:
        stem = found.path.rsplit("/", 1)[-1].removesuffix(".yaml")
        document = self._document(found)
        form, problems = validate(document, FormModel) if document else (None, [])
        if document is not None:
            problems = in_order([*problems, *_named_as_file(document, stem, "form")])
        self.problems += problems
        if form is not None and document is not None and not any(p.severity == "error" for p in problems):
            self.forms[stem] = (form, document)

    def _journey(self, found: FoundFile) -> None:
        stem = found.path.rsplit("/", 1)[-1].removesuffix(".yaml")
        document = self._document(found)
        journey, problems = validate(document, JourneyModel) if document else (None, [])
        if document is not None:
            problems = in_order([*problems, *_named_as_file(document, stem)])
        self.problems += problems
        if journey is None or document is None or any(problem.severity == "error" for problem in problems):
            self.broken.add(stem)
            self.unsure.add("journeys")
        elif stem in self.journeys:
            other = self.journeys[stem][1].path
            message = f"the journey '{stem}' is there twice; the other one is {other}"
            hint = "rename one of the files and its `journey`"
            self.problems.append(document.problem(("journey",), "duplicate_journey", message, hint))
        else:
            self.journeys[stem] = (journey, document)

    def _tests(self, found: FoundFile) -> None:
        document = self._document(found)
        if document is not None:
            self.problems += document.problems
            self.tests.append(document)

    def _catalog(self, found: FoundFile) -> None:
        name, _, ending = found.path.rsplit("/", 1)[-1].rpartition(".")
        catalog: Catalog | None = None
        problems: list[Problem] = []
        if ending == "yaml":
            document = self._document(found)
            if document is not None:
                catalog, problems = catalog_from_yaml(name, document)
        else:
            text = self._text(found, LARGEST_CATALOG)
            if text is not None:
                catalog, problems = catalog_from_csv(name, found.path, text)
        self.problems += problems
        if catalog is None:
            self.unsure.add("catalogs")
        elif name in self.catalogs:
            message = f"the catalog '{name}' is there twice; the other one is {self.catalogs[name].path}"
            self.problems.append(
                Problem(found.path, 1, 1, "duplicate_catalog", message, "delete or rename one of them")
            )
        else:
            self.catalogs[name] = catalog

    def _document(self, found: FoundFile) -> Document | None:
        text = self._text(found, LARGEST_FILE)
        if text is None:
            return None
        document = load_document(found.path, text)
        self.documents[found.path] = document
        return document

    def _text(self, found: FoundFile, largest: int) -> str | None:
        if found.size > largest:
            self.problems.append(too_large(found.path, found.size, largest))
            return None
        try:
            with open(self.root / found.path, "rb") as file:
                raw = file.read(largest + 1)
        except OSError as error:
            message = f"the file cannot be read ({os.strerror(error.errno) if error.errno else error})"
            self.problems.append(Problem(found.path, 1, 1, "unreadable", message, "check its permissions"))
            return None
        decoded = decode_text(found.path, raw, largest)
        self.problems += decoded.problems
        return decoded.text


def _named_as_file(document: Document, stem: str, key: str = "journey") -> list[Problem]:
    """The problem of a journey (or form) whose `journey` is not its file's name."""
    claimed = document.data.get(key) if isinstance(document.data, dict) else None
    if not isinstance(claimed, str) or claimed == stem:
        return []
    message = f"`{key}` must equal the file's name, '{stem}'; found '{claimed}'"
    hint = did_you_mean(claimed, [stem]) or f"write `{key}: {stem}`, or rename the file to {claimed}.yaml"
    return [document.problem((key,), f"{key}_name", message, hint)]
