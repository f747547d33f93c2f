"""One timeline item of a scenario, from its checked shape to its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.iso import parse_instant
from orchestrator.definitions import scenario_item_models as models
from orchestrator.definitions import scenario_items as items
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.records import dataclass


class Place(TypedDict):
    """Where and when an item stands: the fields that all items share."""

    at: datetime
    order: int
    line: int


@dataclass(frozen=True, slots=True)
class ItemReader:
    """Reads the items of one list. `customer` is whom they are about where they name nobody (the tests' shorthand)."""

    findings: Findings
    base_dir: Path
    customer: str | None = None

    def read(self, model: models.ItemBase, where: Where, place: Place) -> items.TimelineItem | None:
        """The item, or None after a finding."""
        return _READERS[model.kind](self, model, where, place)

    def whose(self, model: models.CustomerItemBase, inner: str | None, where: Where) -> str | None:
        """The customer: named inside the kind, beside it, or the list's own."""
        if inner is not None and model.customer is not None and inner != model.customer:
            message = f"two customers: '{model.customer}' beside `{model.kind}`, and '{inner}' in it"
            self.findings.error((*where, model.kind, "customer"), "customer_twice", message, "keep one")
            return None
        found = inner or model.customer or self.customer
        if found is None:
            hint = "add `customer:` and an id"
            self.findings.error(where, "customer_missing", f"`{model.kind}` is about nobody", hint)
        return found


def _event(read: ItemReader, model: models.EventModel, where: Where, place: Place) -> items.TimelineItem | None:
    customer = read.whose(model, None, where)
    if customer is None:
        return None
    return items.EventItem(
        **place, customer=customer, name=model.event, properties=model.properties, message_id=model.id
    )


def _identify(read: ItemReader, model: models.IdentifyModel, where: Where, place: Place) -> items.TimelineItem | None:
    customer = read.whose(model, None, where)
    return None if customer is None else items.IdentifyItem(**place, customer=customer, traits=model.identify)


def _consent(read: ItemReader, model: models.ConsentModel, where: Where, place: Place) -> items.TimelineItem | None:
    choice = model.consent
    customer = read.whose(model, choice.customer, where)
    if customer is None:
        return None
    return items.ConsentItem(
        **place,
        customer=customer,
        topic=choice.topic,
        channel=choice.channel,
        state=choice.state,
        source=choice.source or "",
        wording=choice.wording,
        proof=choice.proof,
        expires_at=parse_instant(choice.expires_at) if choice.expires_at is not None else None,
    )


def _provider(read: ItemReader, model: models.ProviderModel, where: Where, place: Place) -> items.TimelineItem | None:
    return items.ProviderItem(**place, channel=model.provider.channel, outcome=model.provider.outcome)


def _receipt(read: ItemReader, model: models.ReceiptModel, where: Where, place: Place) -> items.TimelineItem | None:
    receipt = model.receipt
    customer = read.whose(model, receipt.customer, where)
    if receipt.kind == "reply" and receipt.text is None:
        read.findings.error((*where, "receipt"), "missing_key", "a reply needs its `text`", "add text: YES")
        return None
    if customer is None:
        return None
    return items.ReceiptItem(
        **place,
        customer=customer,
        channel=receipt.channel,
        kind=receipt.kind,
        step=receipt.step,
        text=receipt.text,
        url=receipt.url,
    )


def _http(read: ItemReader, model: models.HttpModel, where: Where, place: Place) -> items.TimelineItem | None:
    http = model.http
    ends = [key for key in ("error", "timeout") if getattr(http, key)]
    ends += ["status", "json"] if {"status", "json_"} & http.model_fields_set else []
    if len(ends) > 1 and ends != ["status", "json"]:
        message = f"a call ends in one way, and this has `{ends[0]}` beside `{ends[1]}`"
        read.findings.error((*where, "http"), "two_answers", message, "keep status and json, or error, or timeout")
        return None
    kind: items.AnswerKind = "error" if http.error else "timeout" if http.timeout else "value"
    return items.HttpItem(**place, url_glob=http.url, status=http.status or 200, json=http.json_, kind=kind)


def _task(read: ItemReader, model: models.TaskModel, where: Where, place: Place) -> items.TimelineItem | None:
    task = model.task
    customer = read.whose(model, task.customer, where)
    if customer is None:
        return None
    return items.TaskItem(**place, customer=customer, step=task.step, outcome=task.outcome, assignee=task.assignee)


def _survey(read: ItemReader, model: models.SurveyModel, where: Where, place: Place) -> items.TimelineItem | None:
    survey = model.survey
    customer = read.whose(model, survey.customer, where)
    if customer is None:
        return None
    return items.SurveyItem(
        **place, customer=customer, name=survey.name, score=survey.score, choice=survey.choice, text=survey.text
    )


def _redeem(read: ItemReader, model: models.RedeemModel, where: Where, place: Place) -> items.TimelineItem | None:
    redeem = model.redeem
    customer = read.whose(model, redeem.customer, where)
    if customer is None:
        return None
    return items.RedeemItem(
        **place,
        customer=customer,
        offer=redeem.offer,
        order_id=redeem.order_id,
        total=redeem.total,
        code=redeem.code,
    )


def _pause(read: ItemReader, model: models.PauseModel, where: Where, place: Place) -> items.TimelineItem | None:
    return items.PauseItem(**place, journey=model.pause)


def _resume(read: ItemReader, model: models.ResumeModel, where: Where, place: Place) -> items.TimelineItem | None:
    return items.ResumeItem(**place, journey=model.resume)


def _stop(read: ItemReader, model: models.StopModel, where: Where, place: Place) -> items.TimelineItem | None:
    return items.StopItem(**place, journey=model.stop)


def _kill(read: ItemReader, model: models.KillModel, where: Where, place: Place) -> items.TimelineItem | None:
    target = _target(read, model.kill, (*where, "kill"))
    return target and items.KillItem(**place, scope=target[0], name=target[1])


def _lift(read: ItemReader, model: models.LiftModel, where: Where, place: Place) -> items.TimelineItem | None:
    target = _target(read, model.lift, (*where, "lift"))
    return target and items.LiftItem(**place, scope=target[0], name=target[1])


def _target(read: ItemReader, switch: models.Switch | str, where: Where) -> tuple[items.SwitchScope, str | None] | None:
    if not isinstance(switch, models.Switch):
        return ("all", None)
    if (switch.channel is None) == (switch.journey is None):
        message = "the switch is for one channel or one journey"
        read.findings.error(where, "bad_value", message, "write {channel: sms}, {journey: J} or all")
        return None
    return ("channel", switch.channel) if switch.channel is not None else ("journey", switch.journey)


def _deploy(read: ItemReader, model: models.DeployModel, where: Where, place: Place) -> items.TimelineItem | None:
    path = read.base_dir / model.deploy
    try:
        found = path.is_dir()
    except (OSError, ValueError):  # a path that is too long for the system
        found = False
    if not found:
        message = f"there is no folder '{model.deploy}' beside this file"
        hint = "give the path of another project's folder, relative to this file"
        read.findings.error((*where, "deploy"), "unknown_folder", message, hint)
        return None
    return items.DeployItem(**place, path=path)


def _merge(read: ItemReader, model: models.MergeModel, where: Where, place: Place) -> items.TimelineItem | None:
    merge = model.merge
    if merge.from_ == merge.into:
        message = f"'{merge.into}' cannot be merged into itself"
        read.findings.error((*where, "merge", "into"), "bad_value", message, "name two customers")
        return None
    return items.MergeItem(**place, source=merge.from_, target=merge.into)


def _stall(read: ItemReader, model: models.StallModel, where: Where, place: Place) -> items.TimelineItem | None:
    return items.StallItem(**place, stall_for=parse_fixed(model.stall))


def _enroll(read: ItemReader, model: models.EnrollModel, where: Where, place: Place) -> items.TimelineItem | None:
    enroll = model.enroll
    customer = read.whose(model, enroll.customer, where)
    if customer is None:
        return None
    return items.EnrollItem(**place, journey=enroll.journey, customer=customer, values=enroll.with_)


def _catalog(read: ItemReader, model: models.CatalogModel, where: Where, place: Place) -> items.TimelineItem | None:
    edit = model.catalog
    if (edit.set_ is None) == (edit.remove is None):
        message = "a row is changed by `set`, or deleted by `remove: true`"
        read.findings.error((*where, "catalog"), "bad_value", message, "write one of the two")
        return None
    return items.CatalogItem(**place, catalog=edit.name, key=edit.key, values=edit.set_)


_READERS: Mapping[str, Callable[[ItemReader, Any, Where, Place], items.TimelineItem | None]] = {
    "event": _event,
    "identify": _identify,
    "consent": _consent,
    "provider": _provider,
    "receipt": _receipt,
    "http": _http,
    "task": _task,
    "survey": _survey,
    "redeem": _redeem,
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "kill": _kill,
    "lift": _lift,
    "deploy": _deploy,
    "merge": _merge,
    "stall": _stall,
    "enroll": _enroll,
    "catalog": _catalog,
}
