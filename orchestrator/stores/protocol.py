"""The Store: what every database must do for the engine. Memory, SQLite and PostgreSQL sign the same contract.

Each method is one transaction. All instants are given; a store never asks a clock. `tests/stores/conformance.py` is the
contract as tests: a new store plugs in there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.core.changes import Changes
from orchestrator.core.circuit import CircuitRecord
from orchestrator.core.claim import Claimed
from orchestrator.core.consent import Choice
from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import Body, Event, Occurred
from orchestrator.core.index import Index
from orchestrator.core.ledger import Coupon, Message, Request, Task
from orchestrator.core.program import Journey
from orchestrator.core.project import Offer
from orchestrator.core.sends import CustomerSends
from orchestrator.core.state import body_to_json, dumps
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage, Switches, View
from orchestrator.stores.erasure_certificates import Certificate
from orchestrator.stores.protocol_api import ApiStore
from orchestrator.stores.protocol_audit import AuditStore
from orchestrator.stores.protocol_catalogs import CatalogStore
from orchestrator.stores.protocol_exports import ExportStore
from orchestrator.stores.protocol_identity import IdentityStore, Link
from orchestrator.stores.protocol_offers import OffersStore
from orchestrator.stores.protocol_profiles import ProfilesStore
from orchestrator.stores.protocol_segments import SegmentStore
from orchestrator.stores.protocol_sources import SourcesStore


class Arrival(NamedTuple):
    """Something for one customer's inbox. `message_id` dedupes (None: never a duplicate)."""

    customer: str
    received_at: datetime
    body: Body
    message_id: str | None = None


def content_of(arrival: Arrival) -> int:
    """What tells two arrivals of one message id apart: customer and content, without timestamps.

    A client that sends an event again because it missed the answer gives it the same content, and the time of that try.
    """
    body = arrival.body
    if isinstance(body, Occurred):
        return stable_hash(arrival.customer, body.event.name, dumps(body.event.properties))
    return stable_hash(arrival.customer, body_to_json(body))


class Ingested(NamedTuple):
    """What became of arrivals: accepted, duplicates of a message id, conflicts (same id, other content), dropped.

    `shards`: where the accepted ones wait, for whoever nudges other processes; None: a turn has to search.
    """

    accepted: int = 0
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    dropped: int = 0
    shards: frozenset[int] | None = None


class Settlement(NamedTuple):
    """What became of a claimed message. `status` queued: it stays, not before `available_at`.

    `handed_over` counts for the throttle; `receipts` go to the customer's inbox; `release_coupon` takes the code back.
    `fence` is that of the claim: a settlement of a row that somebody else claimed since writes nothing (0: not asked).
    `retry_at`: the provider refused for now; the row stays queued, not before this REAL instant. Of one that stays
    queued, `uncertain` says that it may have gone all the same, and `untaken` that the hand-over which was begun last
    certainly took nothing, so that it does not count.
    """

    message_id: str
    customer_id: str
    status: str
    transitions: Sequence[Transition] = ()
    available_at: datetime | None = None
    handed_over: bool = False
    receipts: Sequence[Body] = ()
    release_coupon: str | None = None
    suppress: tuple[str, str, str] | None = None
    """(channel, normalised address, cause) to put on the suppression list at once."""
    fence: int = 0
    retry_at: datetime | None = None
    uncertain: bool = False
    untaken: bool = False


class DeadLetter(NamedTuple):
    """A message that came to a bad end at `at` (journey time): refused for good (`rejected`), or nobody knows what
    became of it (`unknown`). `reason`: what the provider, or the engine, said."""

    message: LoadedMessage
    at: datetime
    reason: str


BAD_ENDS: Final = ("rejected", "unknown")
"""Statuses of dead letters."""
LATE_ADOPTION: Final = timedelta(hours=1)
"""For so long a process may go on deciding with what it ran before it hears of a deploy."""
COUPON_GONE: Final = "the coupon that this message carries was taken back: it cannot be sent again as it is"


def reason_of(settlement: Settlement) -> str:
    """Why a message came to a bad end, as its lines tell: at most 500 characters."""
    for line in settlement.transitions:
        if line.type == "outcome":
            said = line.values.get("error") or line.values.get("answer") or line.data.get("reason")
            return str(said or "")[:500]
    return ""


class Quota(NamedTuple):
    """What a bucket of tokens gave: `granted` of them, and how many whole ones it holds still."""

    granted: int
    left: int


class CustomerCard(NamedTuple):
    """What people are shown of a customer. `enrollments`: those that run, are parked, or may still reach a goal."""

    id: str
    parked: str | None
    messages: Sequence[LoadedMessage]
    coupons: Sequence[Coupon]
    tasks: Sequence[Task]
    customer: Customer | None = None
    enrollments: Sequence[Enrollment] = ()


class Snapshot(NamedTuple):
    """The files of a deployed project, so that any process can compile the versions that enrollments are pinned to.

    `digest` is the hash of all files; `files` maps relative paths to contents.
    """

    digest: str
    files: Mapping[str, bytes]


class RefusedItem(NamedTuple):
    """Something that came and could not be taken: kept, counted and shown. `content` is at most 2,000 characters."""

    at: datetime
    source: str
    reason: str
    content: str = ""


class ParkedCustomer(NamedTuple):
    """A customer whose decisions raised: `waiting` inbox items stay until someone resumes it."""

    customer: str
    reason: str
    detail: str
    parked_at: datetime
    waiting: int


class Overview(NamedTuple):
    """What a status page shows. Counts are exact; `messages` by (channel, status), `enrollments` by (journey, status),
    `coupons` by (offer, status), `tasks_open` by queue; `inbox` items wait for a turn, of which the oldest came at
    `oldest_at`."""

    customers: int = 0
    inbox: int = 0
    oldest_at: datetime | None = None
    queued: int = 0
    requests: int = 0
    messages: Mapping[tuple[str, str], int] = {}
    enrollments: Mapping[tuple[str, str], int] = {}
    coupons: Mapping[tuple[str, str], int] = {}
    tasks_open: Mapping[str, int] = {}
    refused: int = 0
    parked: Sequence[ParkedCustomer] = ()


class Right(NamedTuple):
    """What somebody asked not to have any more. `kind`: opted_out, opted_in (again, after an opt-out), suppressed,
    erased; `at` is real time. A choice has `customer`, `topic` and `channel`, a suppression `channel`, `address`,
    `cause`, an erasure the hash of the `customer`."""

    id: int
    at: datetime
    kind: str
    customer: str | None = None
    topic: str | None = None
    channel: str | None = None
    address: str | None = None
    cause: str | None = None


class Suppressed(NamedTuple):
    """An entry of the suppression list: whom nothing may be written to, why, and since when (journey time)."""

    channel: str
    address: str
    cause: str
    at: datetime


ANSWERED_ON: Final = frozenset({"sms", "whatsapp", "wechat"})
"""Channels on which people write back from the address that was written to."""


class SendsPage(NamedTuple):
    """Some customers with what they were sent, in the order of their ids. `upto`: the last of them; None: nobody comes
    after them."""

    customers: Sequence[CustomerSends]
    upto: str | None


class StoreBusy(Exception):
    """The database cannot be written just now (locked, full, gone): nothing was done; try again after a while."""


class SaveRefused(Exception):
    """The database will not store what this turn decided (a constraint, a value out of range): decide in halves."""


class Store(
    ProfilesStore,
    SegmentStore,
    SourcesStore,
    AuditStore,
    OffersStore,
    ApiStore,
    ExportStore,
    IdentityStore,
    CatalogStore,
    Protocol,
):
    """See the module's docstring."""

    salt: str
    """The salt of every split, holdout and smear."""

    @property
    def index(self) -> Index:
        """The definitions last deployed. Raises UsageError when nothing was deployed."""

    def deploy(self, index: Index, now: datetime, snapshot: Snapshot | None = None) -> bool:
        """Make definitions live. Versions already known stay for those who are pinned to them.

        Every customer hears of it through the inbox, unless `snapshot` has the digest of what is live already (a
        restart with the same files). Returns whether it was news.
        """

    def snapshots(self) -> Sequence[Snapshot]:
        """The files of every deployment that a running enrollment is pinned to, or whose templates a message may pin
        that is on its way, the live one last; empty: none kept.

        Before `deploy`, a process that was restarted compiles the older ones and says `know`.
        """

    def deployed(self) -> str | None:
        """The digest of the files that are live; None: nothing is, or they were not kept."""

    def know(self, journeys: Iterable[Journey]) -> None:
        """Versions that are not live any more, for those who are pinned to them."""

    def adopt(self, index: Index) -> None:
        """Decide by definitions that another process made live. Nothing is written, and nobody hears of it."""

    def ingest(
        self, arrivals: Sequence[Arrival], links: Sequence[Link] = (), anonymous: Collection[str] = ()
    ) -> Ingested:
        """Put arrivals into the inbox, each message id once; unknown customers are created. Opt-outs commit at once.

        What names a customer by another of its ids reaches it. `links` are written in the same transaction, to be acted
        on afterwards; `anonymous`: ids of these arrivals that no brand gave, should somebody be created by one.
        """

    def known_ids(self, ids: Collection[str], now: datetime) -> frozenset[str]:
        """Which of these message ids came within `settings.dedupe`: an arrival of the same id would be left out."""

    def keep_ids(self, ids: Collection[str], now: datetime) -> None:
        """Know these message ids from now on, though they went to nobody's inbox."""

    def lay_history(self, customer: str, events: Iterable[Event]) -> None:
        """Join events to a customer's past; nobody enters anything by them."""

    def load(
        self, now: datetime, budget: int, only: Sequence[str] | None = None, shards: Sequence[int] | None = None
    ) -> View:
        """Claim at most `budget` customers with due timers or inbox items (those due longest first), ordered by
        customer id, and all they need. `only`: none but these. `shards`: where a nudge says that something is due; a
        store of one process need not care.

        A view with customers is a claim: it lasts until `save` or `abandon`, and no other caller gets them meanwhile.
        """

    def save(self, changes: Changes) -> None:
        """Everything that a turn wants done, at once. Raises SaveRefused (and then nothing is done, and the claim is
        over)."""

    def abandon(self) -> None:
        """End the claim of `load` without doing anything. Without a claim, nothing happens."""

    def park(self, customer: str, reason: str, detail: str, now: datetime) -> None:
        """Take no turn for a customer until someone resumes it. Its items stay in the inbox."""

    def take_up(self, reason: str, limit: int, now: datetime) -> Sequence[str]:
        """Take turns again for at most `limit` customers that were parked for this reason. Returns who they are."""

    def claim_messages(
        self, now: datetime, limit: int, real_at: datetime | None = None, klass: str | None = None
    ) -> Sequence[Claimed]:
        """Queued messages that may be handed over now (of a class), oldest first; each is claimed by one caller only.

        A claim is a lease in REAL time: `real_at` is the actual instant (default `now`). A row whose lease ran out is
        claimed again, with a higher fence.
        """

    def begin_hand_over(self, claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        """Write down, before it happens, that these messages are handed over now, and extend their lease.

        Returns the ids that are still ours: the others were claimed by someone else, and must not be handed over.
        """

    def throttled(self, now: datetime) -> Sequence[tuple[Message, datetime]]:
        """Messages that began to wait for their journey's throttle, each told once, with when it will be their turn."""

    def room(self, journey: str, now: datetime) -> tuple[int | None, datetime | None]:
        """How many messages the journey's throttle lets through now (None: all), and when the next may go."""

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        """Write what became of claimed messages."""

    def record(self, transitions: Sequence[Transition]) -> None:
        """Append lines to the journal that belong to no other change: why something waits."""

    def dead_letters(self, limit: int, status: str | None = None) -> Sequence[DeadLetter]:
        """Messages that came to a bad end (of a status), the latest first."""

    def retry_message(self, message_id: str, now: datetime) -> bool:
        """Queue a dead letter again; it is checked as any other before it goes. False: it is none (any more). Raises
        UsageError for one whose coupon was taken back."""

    @property
    def shared(self) -> bool:
        """Whether other processes may hand over messages from this store at the same time."""

    def take_quota(self, name: str, rate: float, burst: float, want: int, real_at: datetime) -> Quota:
        """Take at most `want` tokens from the bucket of this name, which gets `rate` a second and holds `burst`.

        All processes take from one bucket; a new one is full. A clock that went back gives nothing.
        """

    def circuits(self) -> Mapping[str, CircuitRecord]:
        """The circuits that are not as new. Their instants are seconds since 1970 UTC of real time."""

    def change_circuit(self, name: str, change: Callable[[CircuitRecord], CircuitRecord]) -> CircuitRecord:
        """Change a circuit, while nobody else does. `change` may be called more than once. Returns what it is now."""

    def claim_requests(self, now: datetime, limit: int, real_at: datetime | None = None) -> Sequence[Request]:
        """Calls to make outside; each is claimed by one caller only, for a lease in REAL time (default `now`)."""

    def settle_requests(self, replies: Sequence[tuple[Request, Body]], now: datetime) -> None:
        """Put the answers into the inbox."""

    def cached_reply(self, url: str, now: datetime) -> tuple[int, Any] | None:
        """A fetched answer that may still be used: (status, body)."""

    def keep_reply(self, url: str, status: int, body: Any, until_at: datetime) -> None:
        """Remember a fetched answer."""

    def switches(self) -> Switches:
        """What operators switched off."""

    def set_switches(self, switches: Switches) -> None:
        """Throw switches; effective at once."""

    def change_switches(self, change: Callable[[Switches], Switches]) -> Switches:
        """Throw what `change` makes of the switches, while nobody else throws any. Returns what is thrown now."""

    def operate(self, journey: str, action: str, now: datetime) -> int:
        """Tell every customer in a journey that it was stopped or resumed, or that a canary of it lets them go on
        (`release`) or is taken back (`cancel`). Returns how many.

        `resume` also takes up every parked customer again: which journey it was that failed is not known.
        """

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool, each code once. Returns how many were new."""

    def suppressions(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """The suppression list: (channel, normalised address) to causes."""

    def zones(self) -> Sequence[str]:
        """The IANA names of the zones in force among all customers."""

    def fan_out(
        self, journey: str, trigger: int, occurrence: str, zone: str | None, segment: str | None, at: datetime
    ) -> int:
        """Put an occurrence of a schedule into the inbox of everyone whom it concerns, once. Returns how many.

        It concerns those who were known at `at` and are now in `zone` (None: in any) and, as far as it is decided, in
        `segment`. The same (journey, trigger, occurrence, zone) again reaches nobody.
        """

    def mark(self, name: str, at: datetime | None = None) -> datetime | None:
        """Read a named instant (how far schedules were fanned out), or set it."""

    def tally(self, name: str) -> int:
        """Count one more under a name. Returns how many there are now."""

    def marks(self, prefix: str) -> Mapping[str, datetime]:
        """The named instants whose names begin so."""

    def count(self, changed: Mapping[str, int]) -> None:
        """Add to the installation's figures, which all processes count together."""

    def counted(self) -> Mapping[str, int]:
        """Where the installation's figures stand."""

    def rights(self, since: datetime | None, after: int, limit: int) -> Sequence[Right]:
        """Opt-outs, their ends, and suppressions: at most `limit` with a higher id than `after`, in the order of their
        ids, none of them older than `since`. A transaction that is committed later may have lower ids."""

    def suppress(self, entries: Sequence[tuple[str, str, str]], now: datetime) -> None:
        """Put (channel, normalised address, cause) on the suppression list at once."""

    def suppressed(self, after: tuple[str, str, str], limit: int) -> Sequence[Suppressed]:
        """The suppression list as it is kept, hashed entries included: at most `limit` entries after (channel, address,
        cause), in an order of the store's own; ("", "", "") is before all of them."""

    def soften(self, name: str, at: datetime, half_life: timedelta, alive_at: datetime | None = None) -> float:
        """One soft bounce more for what has this name. Returns their weight, of which half is gone after `half_life`;
        see orchestrator.core.suppression.softened."""

    def unsoften(self, name: str) -> None:
        """Forget the soft bounces under a name. Costs a look where there are none."""

    def unsuppress(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Take (channel, normalised address, cause) off the suppression list at once; other causes stay."""

    def addressee(self, channel: str, address: str) -> str | None:
        """The customer whom the message was about that was handed over last to this address on a channel of
        ANSWERED_ON; None: none was, or the customer is gone."""

    def consent_log(self, customer: str) -> Sequence[Choice]:
        """A customer's rows of the consent ledger, in the order in which they were taken."""

    def erase(
        self, customer: str, now: datetime, real_at: datetime, actor: str, apart: bool = False
    ) -> Certificate | None:
        """Erase a person, at once and everywhere: see orchestrator.stores.erasing for what is kept of whom. `now` is
        journey time, from which the id is taken no more for `settings.dedupe`. `apart`: other plus-addresses of the
        mailbox stay open (orchestrator.core.plus_addresses). None: nobody has this id."""

    def erased(self, hashes: Mapping[str, datetime], now: datetime, real_at: datetime) -> Mapping[str, str]:
        """The ids behind these hashes were erased, each at an actual instant: tell which of them are known and have to
        be erased again, id by hash. For a backup that was restored.

        Nobody has to be erased again who was erased here at that instant or later, nor who came only afterwards. Of the
        others nothing is taken for `settings.dedupe`, counted from the instant, as after `erase`.
        """

    def oldest_due(self, now: datetime) -> Mapping[str, datetime]:
        """Since when the oldest thing that is due waits, by lane: `turn`, the classes of messages, `requests`. Lanes in
        which nothing is due are left out; so is what an operator, a throttle or a provider holds back."""

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which something in this store is due; None: nothing ever, unless something
        arrives."""

    def message(self, customer: str, channel: str, step: str | None) -> Message | None:
        """The latest message of a customer on a channel (from a step), for receipts that name no id."""

    def open_task(self, customer: str, step: str | None) -> Task | None:
        """The latest open task of a customer (from a step)."""

    def card(self, customer: str) -> CustomerCard | None:
        """What people are shown of a customer; None: unknown."""

    def drain_journal(self) -> list[Transition]:
        """The transitions recorded since the last call of this process, in no particular order."""

    def journal(self, customer: str) -> list[Transition]:
        """Everything recorded about a customer, in order, with the values it was decided on."""

    def ledger(self, message_id: str) -> LoadedMessage | None:
        """A message by its id; None: there is none (any more)."""

    def messages_under(self, prefix: str) -> Sequence[LoadedMessage]:
        """The messages whose ids begin with these characters (small letters, digits; at least 12), at most 100, by id:
        those of an enrollment, whose id theirs begin with."""

    def latest_messages(self, limit: int) -> Sequence[LoadedMessage]:
        """The messages decided last, newest first."""

    def overview(self) -> Overview:
        """What a status page shows."""

    def standing(self) -> Mapping[tuple[str, str, str], int]:
        """How many enrollments run, or are parked, by (journey, version, step): one look at all of them."""

    def parked(self, limit: int) -> int:
        """How many customers are parked, counted up to `limit`."""

    def coupons_left(self, offer: Offer, limit: int) -> int:
        """How many codes an offer can still give (of its imported pool, and below its total), counted up to `limit`."""

    def keep_refused(self, items: Sequence[RefusedItem]) -> None:
        """Keep what could not be taken, to be shown."""

    def sends(self, since: datetime, until: datetime, after: str, limit: int) -> SendsPage:
        """What customers were sent and were not, from `since` to before `until` (journey time, of the hand-over), with
        all their choices, later ones too: the first `limit` customers whose ids come after `after` ("": all do)."""

    def refused(self, limit: int) -> Sequence[RefusedItem]:
        """What could not be taken, newest first."""

    def audit(self, at: datetime, actor: str, action: str, detail: str = "") -> None:
        """Write down what an operator did. `at` is the real instant."""

    def retain(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` rows of each kind that nothing can ask for any more. Returns how many went."""

    def close(self) -> None:
        """Give back files and connections. Nothing may be called afterwards."""
