"""An installation with something in it, for tests that call every route of the API."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.sqlite.store import open_store
from tests.http.installation import TOPICS, Installation
from tests.small_projects import project_of

JOURNEYS: dict[str, Any] = {
    "greets": {
        "title": "Says hello",
        "topic": "promotions",
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"email": "hello"}, {"coupon": {"offer": "ten"}}, {"wait": "30d"}],
    },
    "calls": {
        "topic": "care",
        "enter": {"event": "asked", "reentry": "always", "overlap": "parallel"},
        "steps": [{"task": {"queue": "desk", "title": "Call {{ customer.id }}", "due": "1d", "wait": True}}],
    },
    "confirms": {"topic": "orders", "enter": {"event": "bought", "reentry": "always"}, "steps": [{"email": "second"}]},
}
OFFERS: dict[str, Any] = {"ten": {"title": "Ten off", "discount": {"percent": 10}, "limits": {"total": 1000}}}
TEMPLATES = {
    "email/hello.html": "---\nsubject: Hello\n---\n<p>Hello</p><a href='{{ unsubscribe_url }}'>u</a>\n",
    "email/second.html": "---\nsubject: Your order\n---\n<p>Order</p>\n",
}
PEOPLE = ("ana", "b/c ü", "周")


@lru_cache(maxsize=1)
def _loaded() -> LoadedProject:
    with TemporaryDirectory() as folder:
        project = {"topics": TOPICS, "stages": ["new", "loyal"], "queues": {"desk": {"members": ["kim", "lee"]}}}
        return project_of(Path(folder), JOURNEYS, project=project, templates=TEMPLATES, offers=OFFERS)


def seeded(path: Path) -> Installation:
    """A SQLite database with customers, messages of several fates, coupons, tasks, consents, suppressions."""
    site = Installation(open_store(path, durable=False), _loaded())
    for number, customer in enumerate(PEOPLE):
        traits = {"email": f"ana{number}@example.com", "phone": f"+35191234567{number}", "tier": "gold", "tags": ["a"]}
        opened = ConsentChanged("promotions", "email", "in", "form", proof={"ip": "203.0.113.7"})
        said = [(customer, Identified(traits)), (customer, opened)]
        did = [Incoming(customer, name, {"order": f"o{place}"}) for place, name in enumerate(("go", "asked", "bought"))]
        ingest_once(site.store, [*said, *did], site.now)
        site.now += timedelta(seconds=1)
    site.run()
    site.store.suppress([("email", "ana9@example.com", "suppressed")], site.now)
    site.store.audit(site.real, "tester", "seeded", "for tests")
    return site
