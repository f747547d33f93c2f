"""Steps that do something beside sending: `fetch`, `webhook`, `coupon`, `task`, `set`, tags, `track`, `enroll` ..."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from orchestrator.core.program import (
    END,
    AddScore,
    Enroll,
    Fetch,
    IssueCoupon,
    OpenTask,
    SetAttributes,
    SetStage,
    Tag,
    Track,
    Unenroll,
    Webhook,
)
from orchestrator.definitions.compiler.spot import Spot
from orchestrator.definitions.models.actions import (
    AddTagStep,
    CouponStep,
    EnrollStep,
    FetchStep,
    GoOn,
    RemoveTagStep,
    ScoreStep,
    SetStep,
    StageStep,
    TaskStep,
    TrackStep,
    UnenrollStep,
    WebhookStep,
)

FETCH_TIMEOUT: Final = timedelta(seconds=5)
WEBHOOK_TIMEOUT: Final = timedelta(seconds=10)


def compile_fetch(model: FetchStep, spot: Spot) -> Fetch:
    """`fetch:`. Without `as` its answer is named by the step's id."""
    fetch, path = model.fetch, (*spot.path, "fetch")
    if model.error_rule == "default" and not fetch.has_default:
        message = "`on_error: default` takes the `default`, and there is none"
        spot.fields.complain(path, "missing_key", message, "add `default: ...`, or write fail, continue or exit")
    return Fetch(
        url=spot.fields.template(fetch.url, (*path, "url"), spot.names),
        headers=spot.fields.templates(fetch.headers, (*path, "headers"), spot.names),
        as_name=fetch.as_ or spot.place.id,
        cache=spot.fields.fixed(fetch.cache, (*path, "cache")),
        timeout=spot.fields.fixed(fetch.timeout, (*path, "timeout")) or FETCH_TIMEOUT,
        has_default=fetch.has_default,
        default=fetch.default,
        **spot.shared,
    )


def compile_webhook(model: WebhookStep, spot: Spot) -> Webhook:
    """`webhook:`."""
    webhook, path = model.webhook, (*spot.path, "webhook")
    return Webhook(
        url=spot.fields.template(webhook.url, (*path, "url"), spot.names),
        method=webhook.method,
        headers=spot.fields.templates(webhook.headers, (*path, "headers"), spot.names),
        body=spot.fields.optional_template(webhook.body, (*path, "body"), spot.names),
        as_name=webhook.as_,
        timeout=spot.fields.fixed(webhook.timeout, (*path, "timeout")) or WEBHOOK_TIMEOUT,
        **spot.shared,
    )


def compile_coupon(model: CouponStep, spot: Spot) -> IssueCoupon:
    """`coupon:`."""
    coupon = model.coupon
    exhausted = coupon.on_exhausted
    target = END
    if isinstance(exhausted, GoOn):
        target = spot.around.target(exhausted.goto, (*spot.path, "coupon", "on_exhausted", "goto"))
    return IssueCoupon(
        offer=coupon.offer,
        as_name=coupon.as_,
        on_exhausted="goto" if isinstance(exhausted, GoOn) else exhausted,
        exhausted_target=target,
        carrier=spot.around.carriers.get(spot.place.index),
        **spot.shared,
    )


def compile_task(model: TaskStep, spot: Spot) -> OpenTask:
    """`task:`."""
    task, path = model.task, (*spot.path, "task")
    if task.due is not None and task.due_in is not None:
        message = "a task is due once: by `due` or by `due_in`"
        spot.fields.complain((*path, "due_in"), "bad_value", message, "leave one out")
    if task.due_in is not None and (due_in := spot.fields.duration(task.due_in, (*path, "due_in"))) and due_in.months:
        message = f"`{due_in}` cannot be counted in business hours"
        spot.fields.complain((*path, "due_in"), "bad_value", message, "write it in d, h and m")
    return OpenTask(
        queue=task.queue,
        title=spot.fields.template(task.title, (*path, "title"), spot.names),
        body=spot.fields.optional_template(task.body, (*path, "body"), spot.names),
        due=spot.fields.duration(task.due, (*path, "due")),
        due_in=spot.fields.duration(task.due_in, (*path, "due_in")),
        assign=task.assign,
        as_name=task.as_,
        wait=task.wait,
        owns=task.owns,
        **spot.shared,
    )


def compile_set(model: SetStep, spot: Spot) -> SetAttributes:
    """`set:`."""
    values = spot.fields.templates(model.set_, (*spot.path, "set"), spot.names)
    bare = tuple((name.removeprefix("customer."), template) for name, template in values)
    return SetAttributes(values=bare, **spot.shared)


def compile_add_tag(model: AddTagStep, spot: Spot) -> Tag:
    """`add_tag:`: a tag or a list of them."""
    return _tag(model.add_tag, True, spot)


def compile_remove_tag(model: RemoveTagStep, spot: Spot) -> Tag:
    """`remove_tag:`: a tag or a list of them."""
    return _tag(model.remove_tag, False, spot)


def _tag(tags: Sequence[str], add: bool, spot: Spot) -> Tag:
    if not tags:
        verb = spot.place.node.verb
        spot.fields.complain((*spot.path, verb), "bad_value", f"`{verb}` names no tag", "name one, or remove the step")
    first, *more = tags or [""]
    return Tag(tag=first, add=add, more=tuple(more), **spot.shared)


def compile_stage(model: StageStep, spot: Spot) -> SetStage:
    """`stage:`."""
    return SetStage(stage=model.stage, **spot.shared)


def compile_score(model: ScoreStep, spot: Spot) -> AddScore:
    """`score:`."""
    if not model.score:
        hint = "write it as {lead: +10}, or remove the step"
        spot.fields.complain((*spot.path, "score"), "bad_value", "`score` names no score", hint)
    return AddScore(points=tuple(model.score.items()), **spot.shared)


def compile_track(model: TrackStep, spot: Spot) -> Track:
    """`track:`."""
    track = model.track
    properties = spot.fields.templates(track.properties, (*spot.path, "track", "properties"), spot.names)
    return Track(event=track.event, properties=properties, **spot.shared)


def compile_enroll(model: EnrollStep, spot: Spot) -> Enroll:
    """`enroll:`."""
    enroll = model.enroll
    values = spot.fields.templates(enroll.with_, (*spot.path, "enroll", "with"), spot.names)
    return Enroll(journey=enroll.journey, values=values, **spot.shared)


def compile_unenroll(model: UnenrollStep, spot: Spot) -> Unenroll:
    """`unenroll:`."""
    return Unenroll(journey=model.unenroll.journey, **spot.shared)
