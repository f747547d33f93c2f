"""`/api/v1/forms`: links that open a form as a customer's own (docs/forms.md)."""

from __future__ import annotations

from orchestrator.core.expression.nearest import nearest
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.api.values import Body, Id, Shown
from orchestrator.http.form_taking import form_link


class LinkRequest(Body):
    """Whose link it is."""

    customer: Id


class LinkShown(Shown):
    """An address that is filled in with what is known of the customer. Whoever has it may change that."""

    url: str


def add_forms_api(api: Api) -> None:
    """Make a link."""
    api.add(
        "POST",
        "/forms/{name}/links",
        _link,
        body=LinkRequest,
        answer=LinkShown,
        scope="customers:write",
        tag="forms",
        summary="Make a customer's own link to a form",
        description="The page shows what is known of the customer, and writes to that customer. Good for 90 days.",
        refusals={404: "There is no such form (`unknown_form`), or no such customer (`unknown_customer`)"},
    )


def _link(call: Call) -> Answer:
    forms = call.store.index.project.forms
    name = call.path["name"]
    if name not in forms:
        raise unknown("unknown_form", "there is no form of this name", nearest(name, forms))
    if call.store.card(call.body.customer) is None:
        raise unknown("unknown_customer", "there is no customer of this id")
    return Answer({"url": form_link(call.service, name, call.body.customer, call.service.real_now())})
