"""Rows of hot records: whatever is written is read back the same, types included, with the columns beside the text."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.inbox import Body
from orchestrator.core.ledger import Message
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import Arrival, content_of
from orchestrator.stores.records import (
    body_of,
    body_text,
    customer_of,
    enrollment_of,
    enrollment_state,
    entries_of,
    entries_state,
    message_of,
    message_row,
    state_of,
)
from orchestrator.stores.sqlite.ingest import _prepared, _signed
from tests.core.test_state import bodies, customers, data, enrollments, instants, maybe_at, maybe_name, names, same


def row_of(e: Enrollment) -> Enrollment:
    """As a row of the table gives it back."""
    return enrollment_of(
        e.customer_id, e.id, e.journey, e.version, e.key, e.status, e.reason, int(e.ended_by_rule), e.step,
        micros(e.entered_at), enrollment_state(e),
    )  # fmt: skip


@given(customers())
def test_customers_come_back_the_same(customer: Customer) -> None:
    rows = "[" + ",".join(f'["{n}","c","in"]' for n in range(len(customer.consents))) + "]"
    customer.consents = {(str(n), "c"): "in" for n in range(len(customer.consents))}
    found = customer_of(customer.id, micros(customer.created_at), state_of(customer), rows)
    assert same(found, customer)


@given(enrollments())
def test_enrollments_come_back_the_same(e: Enrollment) -> None:
    assert same(row_of(e), e)


@given(enrollments(), data, st.booleans())
def test_an_entry_follows_from_its_properties(e: Enrollment, properties: dict[str, object], updated: bool) -> None:
    e.updated_at = e.updated_at if updated else e.entered_at
    e.entry = {
        **properties, "at": e.entered_at, "name": "go", "key": e.key, "trigger": e.trigger, "updated_at": e.updated_at,
        "properties": properties,
    }  # fmt: skip
    assert same(row_of(e), e)


@given(st.builds(EntryRecord, st.lists(instants, max_size=3).map(tuple), maybe_at, maybe_at))
def test_what_is_remembered_of_entries_comes_back_the_same(record: EntryRecord) -> None:
    assert entries_of(entries_state(record)) == record


messages = st.builds(
    Message, *[names] * 7, st.integers(1, 9), *[names] * 5, maybe_name, names, data, instants, instants,
    st.integers(0, 2**40), maybe_name, maybe_name, maybe_name, maybe_at, maybe_at, names, st.booleans(),
    st.booleans(), maybe_name, maybe_name, names,
)  # fmt: skip


@given(messages)
def test_messages_come_back_the_same(m: Message) -> None:
    found = message_of(
        m.id, m.enrollment_id, m.journey, m.step, m.channel, m.topic, m.klass, m.template, m.to, micros(m.at), m.seq,
        message_row(m),
    )  # fmt: skip
    assert same(found, m)


@given(bodies)
def test_bodies_come_back_the_same(body: Body) -> None:
    assert same(body_of(body_text(body)), body)


@given(names, instants, bodies)
def test_a_repeated_arrival_is_told_by_its_content(customer: str, at: object, body: Body) -> None:
    arrival = Arrival(customer, at, body, "m")  # type: ignore[arg-type]
    assert _prepared(arrival).content == _signed(content_of(arrival))
    assert _prepared(arrival).body == body_text(body)


@given(instants)
def test_instants_come_back_in_utc(at: object) -> None:
    found = instant(micros(at))  # type: ignore[arg-type]
    assert found == at
    assert found.tzinfo is UTC
