"""The Store's contract as tests: memory, SQLite and PostgreSQL sign the same one.

A store plugs in by a fixture `make_store` that makes a new, empty store of a given salt:

    class TestSomeStore(StoreContract):
        @pytest.fixture
        def make_store(self, tmp_path) -> MakeStore:
            return lambda salt="0", forced=None: SomeStore(tmp_path / "some.db", salt, forced)

What the contract does not promise:

- the order of `drain_journal` (lines are sorted by instant, customer and sequence before they are shown), and gaps in
  sequences, ordinals and the `seq` of inbox items
- which customers a budget leaves for the next turn, where several callers take turns at once; one caller gets them in
  the order of their ids
- the order in which pools give out codes, beyond that each is given once
- that a claim survives its process: a store in memory loses it; a database gives it back when its lease ends
- what happens to callers at once (two turns, a turn and a claim): the tests of faults show that, for each database
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from orchestrator.stores.protocol import Store
from tests.stores.contract_addressees import AddresseeContract
from tests.stores.contract_api import ApiContract
from tests.stores.contract_canary import CanaryContract
from tests.stores.contract_catalogs import CatalogContract
from tests.stores.contract_channels import ChannelContract
from tests.stores.contract_consents import ConsentContract, ErasingContract
from tests.stores.contract_dead_letters import DeadLetterContract
from tests.stores.contract_delivery import DeliveryContract
from tests.stores.contract_deployments import DeploymentContract
from tests.stores.contract_exports import ExportContract
from tests.stores.contract_figures import FiguresContract, RightsContract
from tests.stores.contract_groups import GroupsContract
from tests.stores.contract_identity import IdentityContract
from tests.stores.contract_ingest import IngestContract
from tests.stores.contract_leases import LeaseContract
from tests.stores.contract_lists import ListContract
from tests.stores.contract_offers import AuditContract, OffersContract
from tests.stores.contract_operations import OperationContract
from tests.stores.contract_pools import PoolContract
from tests.stores.contract_profiles import EscalationContract, ProfilesContract, RfmContract
from tests.stores.contract_reading import ReadingContract
from tests.stores.contract_segments import SegmentContract
from tests.stores.contract_sends import SendsContract
from tests.stores.contract_sources import SourcesContract
from tests.stores.contract_suppressions import SuppressionContract
from tests.stores.contract_turns import TurnContract
from tests.stores.driving import START, index_of

MakeStore = Callable[..., Store]
"""Called with a salt (default "0") and forced draws (default none)."""


class Plugged:
    """The stores that the contracts ask for."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """To be replaced by the store that plugs in."""
        raise NotImplementedError("a test class of a store gives its own make_store")

    @pytest.fixture
    def empty_store(self, make_store: MakeStore) -> Store:
        """A store in which nothing is deployed."""
        return make_store()

    @pytest.fixture
    def store(self, make_store: MakeStore) -> Store:
        """A store with one journey, `waits`: an hour for each `go` of another `order`."""
        store = make_store()
        store.deploy(index_of(), START)
        return store


class ContractOfTurns(Plugged, IngestContract, TurnContract, PoolContract):
    """The part about what a turn takes, and what it takes from pools."""


class StoreContract(
    Plugged,
    IngestContract,
    TurnContract,
    PoolContract,
    ExportContract,
    DeliveryContract,
    LeaseContract,
    ChannelContract,
    DeadLetterContract,
    OperationContract,
    DeploymentContract,
    ReadingContract,
    ProfilesContract,
    RfmContract,
    EscalationContract,
    GroupsContract,
    FiguresContract,
    RightsContract,
    SendsContract,
    ConsentContract,
    ErasingContract,
    IdentityContract,
    AddresseeContract,
    SuppressionContract,
    SegmentContract,
    SourcesContract,
    CanaryContract,
    CatalogContract,
    ApiContract,
    ListContract,
    OffersContract,
    AuditContract,
):
    """Everything that a store signs. See the module's docstring."""

    def test_salt_and_forced_draws_reach_the_view(self, make_store: MakeStore) -> None:
        forced: Mapping[str, str | bool] = {"holdout": True}
        store = make_store("7", forced)
        store.deploy(index_of(), START)
        view = store.load(START, 10)
        assert (store.salt, view.salt, view.forced) == ("7", "7", forced)
