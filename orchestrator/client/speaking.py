"""identify, track, page, screen, group, alias: how they are said, whoever sends them."""
# ruff: noqa: TID252

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from .items import Item, make_item

Id = str | int | UUID
Fields = Mapping[str, Any]


class Speaking:
    """Every call returns at once: the item's messageId, or None where there was no room for it (`on_error` is told).

    What could never be taken raises ItemInvalid. An item has a `user_id`, an `anonymous_id`, or both, which says that
    they are the same person. `timestamp` is when it happened (with a zone), by default now. Under the same
    `message_id` an item is taken once, however often it is sent.
    """

    def identify(
        self,
        user_id: Id | None,
        traits: Fields | None = None,
        *,
        anonymous_id: str | None = None,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """Who somebody is. Traits named email, phone, timezone, locale, country, createdAt, tags and consents set
        those; the others are attributes."""
        fields = {"traits": traits or {}}
        return self._say("identify", user_id, anonymous_id, fields, context, timestamp, message_id)

    def track(
        self,
        user_id: Id | None,
        event: str,
        properties: Fields | None = None,
        *,
        anonymous_id: str | None = None,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """What somebody did: `track("u1", "order_placed", {"total": 80})`."""
        fields = {"event": event, "properties": properties or {}}
        return self._say("track", user_id, anonymous_id, fields, context, timestamp, message_id)

    def page(
        self,
        user_id: Id | None,
        name: str | None = None,
        properties: Fields | None = None,
        *,
        category: str | None = None,
        anonymous_id: str | None = None,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """Which page of a website somebody looked at."""
        fields = {"name": name, "category": category, "properties": properties or {}}
        return self._say("page", user_id, anonymous_id, fields, context, timestamp, message_id)

    def screen(
        self,
        user_id: Id | None,
        name: str | None = None,
        properties: Fields | None = None,
        *,
        category: str | None = None,
        anonymous_id: str | None = None,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """Which screen of an app somebody looked at."""
        fields = {"name": name, "category": category, "properties": properties or {}}
        return self._say("screen", user_id, anonymous_id, fields, context, timestamp, message_id)

    def group(
        self,
        user_id: Id | None,
        group_id: str,
        traits: Fields | None = None,
        *,
        anonymous_id: str | None = None,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """Which company or household somebody belongs to."""
        fields = {"groupId": group_id, "traits": traits or {}}
        return self._say("group", user_id, anonymous_id, fields, context, timestamp, message_id)

    def alias(
        self,
        previous_id: Id,
        user_id: Id,
        *,
        context: Fields | None = None,
        timestamp: datetime | None = None,
        message_id: str | None = None,
    ) -> str | None:
        """Two ids mean one person; `user_id` is the one that stays."""
        return self._say("alias", user_id, None, {"previousId": str(previous_id)}, context, timestamp, message_id)

    def _say(
        self,
        kind: str,
        user_id: Id | None,
        anonymous_id: str | None,
        fields: Fields,
        context: Fields | None,
        timestamp: datetime | None,
        message_id: str | None,
    ) -> str | None:
        item = make_item(
            kind,
            user_id=user_id,
            anonymous_id=anonymous_id,
            fields=fields,
            context=context,
            timestamp=timestamp,
            message_id=message_id,
        )
        return item.message_id if self._accept(item) else None

    def _accept(self, item: Item) -> bool:
        raise NotImplementedError
