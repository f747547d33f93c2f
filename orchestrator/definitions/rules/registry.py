"""Every lint rule by its code: the one list to extend when a rule is added.

A rule is a file of this folder with CODE, SEVERITY (of most of its problems) and `check(subject) -> Iterator[Problem]`.
It comes with a golden case in tests/cases/lint/rules/<code>/ and a paragraph in docs/lint.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from orchestrator.definitions.rules import (
    attachments_not_sent,
    channel_not_configured,
    coupon_outlived,
    coupon_unguarded,
    duplicate_split,
    empty_duration,
    endless_cycle,
    endless_path,
    everyone_held_out,
    goto_into_repeat,
    hold_in_exit,
    migrate_at_once,
    migrate_without_id,
    missing_translation,
    no_topic,
    nothing_to_skip,
    reentry_contradiction,
    repeat_at_once,
    result_unset,
    self_trigger,
    short_validity,
    survey_without_choices,
    time_gap,
    transactional_coupon,
    type_clash,
    unknown_asset,
    unknown_attribute,
    unknown_event,
    unknown_journey,
    unknown_offer,
    unknown_property,
    unknown_queue,
    unknown_segment,
    unknown_stage,
    unknown_template,
    unknown_template_variable,
    unknown_topic,
    unreachable_step,
    unused_offer,
    unused_segment,
    unused_template,
    wait_without_end,
)
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

Check = Callable[[Subject], Iterable[Problem]]

RULES: Final[Mapping[str, Check]] = {
    attachments_not_sent.CODE: attachments_not_sent.check,
    channel_not_configured.CODE: channel_not_configured.check,
    coupon_outlived.CODE: coupon_outlived.check,
    coupon_unguarded.CODE: coupon_unguarded.check,
    duplicate_split.CODE: duplicate_split.check,
    empty_duration.CODE: empty_duration.check,
    endless_cycle.CODE: endless_cycle.check,
    endless_path.CODE: endless_path.check,
    everyone_held_out.CODE: everyone_held_out.check,
    goto_into_repeat.CODE: goto_into_repeat.check,
    hold_in_exit.CODE: hold_in_exit.check,
    migrate_at_once.CODE: migrate_at_once.check,
    migrate_without_id.CODE: migrate_without_id.check,
    missing_translation.CODE: missing_translation.check,
    no_topic.CODE: no_topic.check,
    nothing_to_skip.CODE: nothing_to_skip.check,
    reentry_contradiction.CODE: reentry_contradiction.check,
    repeat_at_once.CODE: repeat_at_once.check,
    result_unset.CODE: result_unset.check,
    self_trigger.CODE: self_trigger.check,
    short_validity.CODE: short_validity.check,
    survey_without_choices.CODE: survey_without_choices.check,
    time_gap.CODE: time_gap.check,
    transactional_coupon.CODE: transactional_coupon.check,
    type_clash.CODE: type_clash.check,
    unknown_asset.CODE: unknown_asset.check,
    unknown_attribute.CODE: unknown_attribute.check,
    unknown_event.CODE: unknown_event.check,
    unknown_journey.CODE: unknown_journey.check,
    unknown_offer.CODE: unknown_offer.check,
    unknown_property.CODE: unknown_property.check,
    unknown_queue.CODE: unknown_queue.check,
    unknown_segment.CODE: unknown_segment.check,
    unknown_stage.CODE: unknown_stage.check,
    unknown_template.CODE: unknown_template.check,
    unknown_template_variable.CODE: unknown_template_variable.check,
    unknown_topic.CODE: unknown_topic.check,
    unreachable_step.CODE: unreachable_step.check,
    unused_offer.CODE: unused_offer.check,
    unused_segment.CODE: unused_segment.check,
    unused_template.CODE: unused_template.check,
    wait_without_end.CODE: wait_without_end.check,
}
