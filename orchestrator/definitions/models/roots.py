"""The models of whole files, by what people call these files."""

from __future__ import annotations

from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.forms import FormModel
from orchestrator.definitions.models.front_matter import FrontMatter
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.offers import Offer
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.models.segments import Segment

ROOTS: dict[str, type[FileModel]] = {
    "a journey": JourneyModel,
    "project.yaml": ProjectModel,
    "schema.yaml": SchemaModel,
    "an offer of offers.yaml": Offer,
    "a segment of segments.yaml": Segment,
    "a form": FormModel,
    "a template's front matter": FrontMatter,
}
"""In the order in which an unknown key is looked for."""
