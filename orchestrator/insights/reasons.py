"""Reason codes in words. The codes are stable (docs/interfaces.md); the words are for people."""

from __future__ import annotations

from collections.abc import Mapping

REFUSED: Mapping[str, str] = {
    "paused": "the journey was paused",
    "stopped": "the journey was stopped",
    "where": "the condition at its entry was not true",
    "overlap": "an earlier passage with the same key was still running",
    "busy": "the customer was in a journey that `unless_in` names",
    "reentry": "the same key had been in before, and `reentry` did not allow it again",
    "entry_limit": "the day's entries were used up (`limits`)",
}

WITHHELD: Mapping[str, str] = {
    "holdout": "the customer is in the control group",
    "no_address": "no address is known",
    "invalid_address": "the address cannot be used",
    "bounced": "an earlier message to this address bounced for good",
    "complained": "the recipient had complained about a message",
    "suppressed": "the address is on the suppression list",
    "opted_out": "the customer had opted out",
    "no_consent": "the customer had not agreed to messages of this topic",
    "expired": "it was too late for it (`valid_for`)",
    "quiet_hours": "it was quiet hours",
    "capped": "the customer had had as many messages as the caps allow",
    "send_limit": "the journey had sent as many messages as its limits allow",
    "killed": "the kill switch was on",
    "paused": "the journey was paused",
    "late": "the engine came too late (`late`)",
    "render_error": "the template could not be rendered",
    "provider_rejected": "the provider refused it",
    "unknown_outcome": "the provider's answer was lost",
    "exited": "the customer had left the journey before it was handed over",
    "stopped": "the journey was stopped",
    "canary": "a share of the customers goes first",
}
"""Why something was suppressed or is held."""

EXITED: Mapping[str, str] = {
    "when": "a condition of its exit rules had become true",
    "left_segment": "the customer had left the segment",
    "goal": "the goal was reached",
    "past": "the date to wait for had passed",
    "late": "the engine came too late (`late`)",
    "exhausted": "no coupon was to be had",
    "restarted": "a newer entry took its place",
    "stopped": "the journey was stopped",
    "merged": "the customer was merged into another",
    "erased": "the customer was erased",
    "unenrolled": "another journey took the customer out",
    "quiet_hours": "it was quiet hours",
    "capped": "the customer had had as many messages as the caps allow",
    "failed": "a step had failed (`on_error: exit`)",
    "canary": "the canary that held the customer was taken back",
    "removed": "the step it stood at is not in the version that was deployed (`migrate`)",
}

FAILED: Mapping[str, str] = {
    "bad_date": "a date is missing or cannot be read",
    "evaluation_error": "an expression met values that it has no meaning for",
    "fact_unavailable": "something it needed could not be read",
    "fetch": "the connected content could not be fetched",
    "webhook": "the webhook was not taken",
    "exception": "a mistake of the engine itself",
}


def with_code(words: Mapping[str, str], code: str) -> str:
    """``no address is known (no_address)``; a code without words stands alone."""
    return f"{words[code]} ({code})" if code in words else code
