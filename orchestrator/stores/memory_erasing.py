"""The consent ledger, and erasing people, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.consent import Choice
from orchestrator.core.ledger import Coupon
from orchestrator.core.suppression import HASHED, hashed_entry
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage
from orchestrator.stores.erased_records import addresses_of, nobodys_coupon, nobodys_lines, nobodys_message
from orchestrator.stores.erasure_certificates import ERASED, Certificate, certified, hash_of
from orchestrator.stores.memory_outbox import MemoryOutbox
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.naming import names
from orchestrator.stores.protocol import RefusedItem, Right
from orchestrator.stores.protocol_audit import AuditRow


class MemoryErasing:
    """A part of the memory store, which has its records."""

    salt: str
    _records: dict[str, CustomerRecord]
    _outbox: MemoryOutbox
    _journal: list[Transition]
    _past: list[Transition] | None
    _refused: list[RefusedItem]
    _forget_examples: Any
    _forget_answers: Any
    _rights: list[Right]
    _audit: list[AuditRow]
    audit: Any
    _suppressions: Any
    _addressees: dict[tuple[str, str], str]
    _ready: set[str]
    _zones: set[str] | None
    _dead: dict[str, Any]
    _soft: dict[str, Any]
    _suppress: Any
    _whose: Any
    _record_of: Any
    _aliases: Any
    _addresses_known: Any
    _forget_identity: Any
    _forget_groups: Any
    unsuppress: Any
    _forget_redemptions: Any
    _nobodys_coupons: list[Coupon]

    def __init__(self) -> None:
        super().__init__()
        self._erased: dict[str, datetime] = {}
        self._erased_at: dict[str, datetime] = {}
        """Erasures by the hash of the id: in journey time, and in real time."""
        self._last_digest: str | None = None
        self._nobodys: list[LoadedMessage] = []
        """What was sent to those who were erased."""

    def consent_log(self, customer: str) -> Sequence[Choice]:
        """A customer's rows of the ledger."""
        record = self._record_of(customer)
        return () if record is None else tuple(record.choices)

    def erase(
        self, customer: str, now: datetime, real_at: datetime, actor: str, apart: bool = False
    ) -> Certificate | None:
        """Erase a person."""
        customer = self._whose(customer) or customer
        aliases, more = self._aliases(customer), self._addresses_known(customer)
        record = self._records.pop(customer, None)
        if record is None:
            return None
        self._ready.discard(customer)
        self._zones = None
        hash = hash_of(self.salt, customer)
        id = ERASED + hash
        tables = self._counted(record)
        self._outbox.forget(customer)
        for message in record.messages:
            status = "suppressed" if message.status == "queued" else message.status
            row = nobodys_message(message.row)
            self._nobodys.append(LoadedMessage(row, status, message.opened_at, message.clicked_at))
        tables["redemptions"] = {"anonymised": self._forget_redemptions(customer, record.coupons.values())}
        self._nobodys_coupons += map(nobodys_coupon, record.coupons.values())
        for lines in (self._journal, self._past or []):
            for whose in (customer, *aliases):
                lines[:] = nobodys_lines(lines, whose, hash)
        seq = max((t.seq for t in self._journal if t.customer == id), default=0)
        for e in record.enrollments.values():
            if e.status in ("running", "parked"):
                seq += 1
                data = {"reason": "erased"}
                line = Transition(now, id, seq, "exited", e.journey, e.version, None, e.step, data, e.id)
                self._journal.append(line)
        c = record.customer
        named = names([customer, *aliases, *(value for _, value in more)], c.email, c.phone, c.country)
        self._refused = [item for item in self._refused if not named(item.content)]
        self._forget_examples(named)
        self._forget_answers(named)
        self._audit = [
            row._replace(detail=id) if row.detail == customer or named(row.detail) else row
            for row in self._audit
        ]  # fmt: skip
        self._addressees = {place: who for place, who in self._addressees.items() if who != customer}
        self._dead = {place: dead for place, dead in self._dead.items() if dead[0] != customer}
        self._rights = [r._replace(customer=id) if r.customer == customer else r for r in self._rights]
        addresses = addresses_of(record.customer, apart, self.salt, more)
        for address in addresses:
            for name in address.soft:
                self._soft.pop("".join(hashed_entry(self.salt, address.channel, name)).removeprefix(HASHED), None)
            self._hide(address.channel, address.normal, address.cause, now)
        made = [address.channel for address in addresses]
        done = certified(hash, real_at, actor, tables, made, self._last_digest)
        self._last_digest = done.digest
        for alias in aliases:
            self._keep_out(hash_of(self.salt, alias), now, real_at)
        self._forget_groups(customer)
        self._forget_identity(customer, aliases)
        self._keep_out(hash, now, real_at)
        self.audit(real_at, actor, "customer erase", done.digest)
        return done

    def erased(self, hashes: Mapping[str, datetime], now: datetime, real_at: datetime) -> Mapping[str, str]:
        """Who of these has to be erased again."""
        known = {hash_of(self.salt, customer): record for customer, record in self._records.items()}
        found = {}
        for hash, at in sorted(hashes.items()):
            if hash in self._erased_at and self._erased_at[hash] >= at:
                continue
            journey_at = at + (now - real_at)
            if hash in known and known[hash].known_from <= journey_at:
                found[hash] = known[hash].customer.id
            else:
                self._keep_out(hash, journey_at, at)
        return found

    def _hide(self, channel: str, normal: str, gone: str, now: datetime) -> None:
        """The address stays suppressed, and nobody can read which one it is."""
        entry = hashed_entry(self.salt, channel, normal)
        causes = self._suppressions.plain((channel, normal))
        self.unsuppress([(channel, normal, cause) for cause in causes])
        for cause in sorted(causes | {gone}):
            self._suppress(*entry, cause, now)
        self._rights = [
            right._replace(channel=entry[0], address=entry[1])
            if (right.channel, right.address) == (channel, normal)
            else right
            for right in self._rights
        ]

    def _keep_out(self, hash: str, now: datetime, real_at: datetime) -> None:
        self._erased[hash], self._erased_at[hash] = now, real_at
        self._rights.append(Right(len(self._rights) + 1, real_at, "erased", ERASED + hash))

    @staticmethod
    def _counted(record: CustomerRecord) -> dict[str, dict[str, int]]:
        events = sum(len(events) for events in record.history.by_name.values())
        deleted = {"customers": 1, "events": events, "inbox": len(record.inbox), "entries": len(record.entries)}
        kept = {
            "messages": len(record.messages),
            "enrollments": len(record.enrollments),
            "coupons": len(record.coupons),
            "tasks": len(record.tasks),
            "consent_log": len(record.choices),
        }
        return {
            **{name: {"deleted": count} for name, count in deleted.items()},
            **{name: {"anonymised": count} for name, count in kept.items()},
        }
