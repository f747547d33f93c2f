"""Steps that send: the channels, `send`, `survey`."""

from __future__ import annotations

from orchestrator.core.interpolation import Template
from orchestrator.core.program import ChannelTemplate, MessageOptions, Send, Survey
from orchestrator.definitions.compiler.spot import Spot
from orchestrator.definitions.compiler.tree import ELSE, THEN
from orchestrator.definitions.models.flow import SurveyStep
from orchestrator.definitions.models.messages import Attached, MessageStep, SendStep
from orchestrator.definitions.models.messages import MessageOptions as OptionsModel
from orchestrator.definitions.source import Path


def compile_message(model: MessageStep, spot: Spot) -> Send:
    """`email:`, `sms:`, ... : one channel."""
    message = model.message
    options = _options(message, (*spot.path, model.verb), spot)
    return Send(ways=(ChannelTemplate(model.channel, message.template),), options=options, **spot.shared)


def compile_send(model: SendStep, spot: Spot) -> Send:
    """`send:` with `first_of` or `all_of`."""
    send = model.send
    listed = "first_of" if send.first_of else "all_of"
    ways = []
    for number, choice in enumerate(send.choices):
        path = (*spot.path, "send", listed, number, choice.channel)
        for key in sorted(choice.message.model_fields_set - {"template"}):
            option = key.rstrip("_")
            message = f"`{option}` stands beside `{listed}`, and counts for all its channels"
            hint = f"move it up, or make `{choice.channel}` a step of its own"
            spot.fields.complain((*path, option), "misplaced_option", message, hint, key=True)
        ways.append(ChannelTemplate(choice.channel, choice.message.template))
    options = _options(send, (*spot.path, "send"), spot)
    return Send(ways=tuple(ways), every_way=bool(send.all_of), options=options, **spot.shared)


def compile_survey(model: SurveyStep, spot: Spot) -> Survey:
    """`survey:` with `then` and `else`."""
    survey, path, targets = model.survey, (*spot.path, "survey"), spot.place.targets
    return Survey(
        name=survey.name,
        kind=survey.kind,
        way=ChannelTemplate(survey.via, survey.template or survey.name),
        options=_options(survey, path, spot),
        up_to=spot.fields.duration(survey.up_to, (*path, "up_to")),
        as_name=survey.as_,
        then=targets[THEN],
        otherwise=targets[ELSE],
        **spot.shared,
    )


def _options(model: OptionsModel, path: Path, spot: Spot) -> MessageOptions:
    fields, names = spot.fields, spot.names
    return MessageOptions(
        topic=model.topic,
        subject=fields.optional_template(model.subject, (*path, "subject"), names),
        values=fields.templates(model.with_, (*path, "with"), names),
        to=fields.optional_template(model.to, (*path, "to"), names),
        locale=fields.optional_template(model.locale, (*path, "locale"), names),
        valid_for=fields.duration(model.valid_for, (*path, "valid_for")),
        on_quiet=model.on_quiet,
        on_cap=model.on_cap,
        sender=model.from_,
        reply_to=model.reply_to,
        attachments=tuple(
            _attached(one, (*path, "attachments", number), spot) for number, one in enumerate(model.attachments)
        ),
    )


def _attached(model: Attached, path: Path, spot: Spot) -> str | tuple[tuple[str, Template], ...]:
    """A file's name, or the texts of a calendar entry by their names."""
    if model.calendar is None:
        return model.file or ""
    return spot.fields.templates(model.calendar.model_dump(exclude_none=True), (*path, "calendar"), spot.names)
