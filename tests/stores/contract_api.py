"""What a store does for the API, as tests: keys, and answers that are given again."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_api import BEGUN_FOR, KEPT_FOR, Begun, Given, Key
from tests.stores.driving import START, later

_GIVEN = Given("print", 201, '{"Location": "/x"}', '{"id": "u1@example.com"}')


def key(id: str = "k1", at: datetime = START) -> Key:
    return Key(id, f"hash of {id}", "oa_abc", "the till", "api", ("customers:read", "events:write"), 50.0, None, at)


class ApiContract:
    """Tests of keys and answers."""

    def test_keys_are_kept_as_they_are(self, store: Store) -> None:
        later_one = Key("k0", "other", "ow_x", "site", "write", (), None, "shop", later(1), None, later(9), later(5))
        store.keep_key(later_one)
        store.keep_key(key())
        assert list(store.all_keys()) == [key(), later_one]
        revoked = key()._replace(revoked_at=later(2), name="the old till", expires_at=later(3))
        store.keep_key(revoked)
        assert next(iter(store.all_keys())) == revoked

    def test_a_key_is_good_until_it_is_not(self) -> None:
        assert key().good(later(10**6))
        assert not key()._replace(revoked_at=START).good(later(1))
        ends = key()._replace(expires_at=later(5))
        assert ends.good(later(4.9)) and not ends.good(later(5))

    def test_the_last_use_is_the_latest(self, store: Store) -> None:
        store.keep_key(key())
        store.touch_keys({"k1": later(5), "nobody": later(5)})
        store.touch_keys({"k1": later(3)})
        store.keep_key(key()._replace(name="renamed"))
        [kept] = store.all_keys()
        assert (kept.used_at, kept.name) == (later(5), "renamed")

    def test_a_write_is_begun_once_and_answered_again(self, store: Store) -> None:
        assert store.begin_write("k1", "a", "print", START) == Begun(True, "print")
        assert store.begin_write("k1", "a", "print", later(0.1)) == Begun(False, "print")
        store.end_write("k1", "a", _GIVEN)
        assert store.begin_write("k1", "a", "print", later(1)) == Begun(False, "print", _GIVEN)
        again = store.begin_write("k1", "a", "other", later(1))
        assert (again.first, again.fingerprint) == (False, "print")
        assert store.begin_write("k2", "a", "other", later(1)).first
        assert store.begin_write("k1", "b", "other", later(1)).first

    def test_what_was_not_done_may_be_tried_again(self, store: Store) -> None:
        assert store.begin_write("k1", "a", "print", START).first
        store.end_write("k1", "a", None)
        assert store.begin_write("k1", "a", "print", START).first

    def test_a_request_that_died_is_begun_again_but_only_as_it_was(self, store: Store) -> None:
        assert store.begin_write("k1", "a", "print", START).first
        dead_at = START + BEGUN_FOR + timedelta(seconds=1)
        assert not store.begin_write("k1", "a", "other", dead_at).first
        assert store.begin_write("k1", "a", "print", dead_at).first
        assert not store.begin_write("k1", "a", "print", dead_at).first

    def test_answers_are_forgotten_after_a_day(self, store: Store) -> None:
        store.begin_write("k1", "a", "print", START)
        store.end_write("k1", "a", _GIVEN)
        assert store.begin_write("k1", "a", "print", START + KEPT_FOR).given == _GIVEN
        assert store.begin_write("k1", "a", "print", START + KEPT_FOR + timedelta(seconds=1)).first
        for number in range(120):
            store.begin_write("k9", f"old{number}", "print", START)
        much_later = START + 3 * KEPT_FOR
        for number in range(3):  # each forgets some: even the last of the old ones is new
            store.begin_write("k9", f"new{number}", "print", much_later)
        assert store.begin_write("k9", "old119", "another", much_later).first

    def test_an_answer_that_names_the_erased_is_given_no_more(self, store: Store) -> None:
        from orchestrator.stores.protocol import Arrival
        from tests.stores.driving import event

        store.ingest([Arrival("u1@example.com", START, event(order="a"), "m1")])
        for name in ("a", "b"):
            store.begin_write("k1", name, "print", START)
        store.end_write("k1", "a", _GIVEN)
        store.end_write("k1", "b", _GIVEN._replace(body='{"id": "u2"}'))
        store.erase("u1@example.com", later(1), later(1), "operator")
        gone = store.begin_write("k1", "a", "print", later(2)).given
        assert gone is not None and gone.status == 410 and "u1" not in gone.body
        other = store.begin_write("k1", "b", "print", later(2)).given
        assert other is not None and other.status == 201

    def test_retention_forgets_old_answers(self, store: Store) -> None:
        store.begin_write("k1", "old", "print", START)  # months ago, by any database's own clock
        store.end_write("k1", "old", _GIVEN)
        assert store.retain(START, 100) >= 0
        if hasattr(store, "db"):
            assert store.begin_write("k1", "old", "another", START).first
