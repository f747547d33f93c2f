"""What is known of a message before its customer is: worked out once for each way of a journey to send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from orchestrator.core.program import ChannelTemplate, Journey, MessageOptions
from orchestrator.core.project import CapRule, Project, TemplateRef, Topic
from orchestrator.core.quiet_plan import PlacedTimes
from orchestrator.core.time.quiet import Quiet
from orchestrator.errors import DecisionError
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """One way to send a step's message: the template's variant, the topic, and the guards that can ever bind it.

    `topic` None: there is none of the name that was found, `topic_name`. `consent` is where the customer's choice
    stands; `sensitive`: consent and holdout are asked at all. `caps` cannot bind whoever got fewer than `least_cap`
    messages so far. `channel` are the channel's options in project.yaml; None: it is not configured.
    """

    journey: Journey
    options: MessageOptions
    way: ChannelTemplate
    template: TemplateRef | None
    topic_name: str | None
    topic: Topic | None
    sensitive: bool
    consent: tuple[str, str]
    quiet: Quiet | None
    caps: tuple[CapRule, ...]
    least_cap: int
    channel: Mapping[str, object] | None
    placed: PlacedTimes | None = None
    """Quiet times that depend on where the customer is, in place of `quiet`."""

    def no_topic(self) -> DecisionError:
        """Why nothing can be said about such a message."""
        found = self.topic_name
        return DecisionError(f"the message has no topic that exists (found {found!r}); give it one in project.yaml")


class Verdict(NamedTuple):
    """What the guards of time and number say: send, hold `until_at`, or not (`reason`).

    `not_after`: the start of the next quiet time, when a message that is still queued must not be handed over.
    """

    action: Literal["send", "hold", "suppress", "exit"]
    reason: str | None = None
    until_at: datetime | None = None
    not_after: datetime | None = None


SEND = Verdict("send")


class FreeTime(NamedTuple):
    """A time without quiet hours: whatever may be sent at `since` may be sent until `until`, by the same verdict."""

    since: datetime
    until: datetime
    verdict: Verdict


def passage(project: Project, journey: Journey, options: MessageOptions, way: ChannelTemplate, locale: str) -> Passage:
    """The passage of a way in a language. The topic is the step's, else the template's, else the journey's."""
    template = project.templates.pick(way.channel, way.template, locale)
    name = options.topic or (template.topic if template is not None else None) or journey.topic
    topic = project.topics.get(name) if name is not None else None
    if topic is None:
        return Passage(journey, options, way, template, name, None, True, ("", ""), None, (), 0, None)
    rule = project.quiet
    plan = project.quiet_plan
    placed = plan.times(topic.klass, way.channel) if plan is not None else None
    caps = tuple(cap for cap in project.caps if cap.matches(topic.klass, topic.id, way.channel))
    return Passage(
        journey,
        options,
        way,
        template,
        name,
        topic,
        topic.klass != "transactional",
        (topic.id, way.channel),
        rule.hours if plan is None and rule is not None and rule.binds(topic.klass, way.channel) else None,
        caps,
        min((cap.max for cap in caps), default=0),
        project.channels.get(way.channel),
        placed,
    )
