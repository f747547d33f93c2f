"""All areas of `/api/v1`."""

from __future__ import annotations

from fastapi import FastAPI

from orchestrator.http.api.audit import add_audit_api
from orchestrator.http.api.catalogs import add_catalogs_api
from orchestrator.http.api.consents import add_consents_api
from orchestrator.http.api.coupons import add_coupons_api
from orchestrator.http.api.customer_parts import add_customer_parts_api
from orchestrator.http.api.customers import add_customers_api
from orchestrator.http.api.enrollments import add_enrollments_api
from orchestrator.http.api.events import add_events_api
from orchestrator.http.api.forms import add_forms_api
from orchestrator.http.api.frame import Api
from orchestrator.http.api.groups import add_groups_api
from orchestrator.http.api.inbox_tokens import add_inbox_tokens_api
from orchestrator.http.api.insights import add_insights_api
from orchestrator.http.api.journeys import add_journeys_api
from orchestrator.http.api.keys import add_keys_api
from orchestrator.http.api.messages import add_messages_api
from orchestrator.http.api.offers import add_offers_api
from orchestrator.http.api.segments import add_segments_api
from orchestrator.http.api.tasks import add_tasks_api
from orchestrator.http.service import Service


def add_api_routes(app: FastAPI, service: Service) -> Api:
    """Serve the API. An area of its own: import its `add_..._api` and call it here, in the order of the document."""
    api = Api(service)
    add_customers_api(api)
    add_customer_parts_api(api)
    add_consents_api(api)
    add_inbox_tokens_api(api)
    add_groups_api(api)
    add_events_api(api)
    add_segments_api(api)
    add_journeys_api(api)
    add_enrollments_api(api)
    add_messages_api(api)
    add_offers_api(api)
    add_coupons_api(api)
    add_tasks_api(api)
    add_catalogs_api(api)
    add_forms_api(api)
    add_insights_api(api)
    add_audit_api(api)
    add_keys_api(api)
    api.mount(app)
    return api
