"""`scores:` of project.yaml."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.core.scores import ScoreRule, ScoreSpec
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.types import event_record
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.scores import Score as ScoreModel
from orchestrator.definitions.models.scores import ScoreRule as RuleModel
from orchestrator.definitions.source import Path


def compile_scores(model: ProjectModel, fields: Fields, names: Names) -> dict[str, ScoreSpec]:
    """The scores by name. `names` are those of segments."""
    return {name: _score(name, score, fields, names) for name, score in model.scores.items()}


def _score(name: str, model: ScoreModel, fields: Fields, names: Names) -> ScoreSpec:
    path = ("scores", name)
    half_life = fields.fixed(model.half_life, (*path, "half_life"))
    if half_life is not None and half_life <= timedelta(0):
        message = "points that halve in no time are never there"
        fields.complain((*path, "half_life"), "bad_value", message, "write a length such as 30d")
        half_life = None
    rules = tuple(_rule(name, rule, (*path, "rules", number), fields, names) for number, rule in enumerate(model.rules))
    return ScoreSpec(name, half_life, model.min, model.max, rules)


def _rule(score: str, model: RuleModel, path: Path, fields: Fields, names: Names) -> ScoreRule:
    if model.event is not None:
        names = names.seeing_event(event_record(model.event, names.types))
    where = fields.optional(model.where, (*path, "where"), names)
    if model.event is None and where is not None and "score" in where.needs.customer:
        message = f"standing points of '{score}' cannot depend on a score: each would change the other"
        fields.complain((*path, "where"), "bad_value", message, "ask for what the score rests on")
    return ScoreRule(model.add, model.event, where)
