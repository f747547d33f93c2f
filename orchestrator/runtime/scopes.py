"""What an API key may be allowed to do."""

from __future__ import annotations

from typing import Final

SCOPES: Final[dict[str, str]] = {
    "events:write": "Send events",
    "customers:read": "Read customers, their history and what was sent to them",
    "customers:write": "Create customers and change their attributes",
    "customers:erase": "Erase customers for good",
    "segments:read": "Read segments, their sizes and members",
    "segments:write": "Change lists of customers",
    "journeys:read": "Read journeys and enrollments",
    "journeys:write": "Pause, resume and stop journeys, enroll and take out customers",
    "messages:read": "Read messages as they were sent",
    "messages:write": "Send dead letters again",
    "offers:read": "Read offers and how many codes they gave",
    "coupons:write": "Validate, lock, redeem and roll back coupons",
    "tasks:read": "Read tasks for staff",
    "tasks:write": "Assign and close tasks",
    "consents:read": "Read choices, the consent ledger and suppressions",
    "consents:write": "Note choices and suppressions",
    "catalogs:read": "Read catalogs",
    "catalogs:write": "Change rows of catalogs",
    "insights:read": "Read figures",
    "audit:read": "Read what operators did",
    "keys:write": "List, make and revoke keys",
}
"""Every scope, and what it lets do. A key of ORCHESTRATOR_API_KEYS has all of them."""
