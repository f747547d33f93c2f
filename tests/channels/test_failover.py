"""Several providers behind one channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.channels.configured import channel_of, channels_of
from orchestrator.channels.failover import ONWARD_WITHIN, FailoverChannel, Provider, failover_of
from orchestrator.channels.file import FileChannel
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.circuit import FAILURES, FIRST_REST
from orchestrator.errors import UsageError
from orchestrator.settings import read_settings, without_password
from tests.channels.contract import Adapter, ChannelContract, outgoing
from tests.channels.test_adapters import files_of

DOWN = Answer("retry", "535 revoked", down=True)


class Fake:
    """A provider that answers what it is told to, by id or else `default`, and keeps what it was given."""

    idempotent = True
    rate = None

    def __init__(self, default: Answer = Answer("accepted"), width: int = 4) -> None:  # noqa: B008
        self.default = default
        self.width = width
        self.answers: dict[str, Answer] = {}
        self.groups: list[list[str]] = []
        self.closed = 0
        self.breaks = False

    @property
    def given(self) -> list[str]:
        return [id for group in self.groups for id in group]

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        self.groups.append([message.id for message in messages])
        if self.breaks:
            raise RuntimeError("a bug")
        return [self.answers.get(message.id, self.default) for message in messages]

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def two(clock: Clock) -> tuple[FailoverChannel, Fake, Fake]:
    first, second = Fake(), Fake()
    return FailoverChannel([Provider("a", first), Provider("b", second)], clock), first, second


Two = tuple[FailoverChannel, Fake, Fake]


def sent(channel: FailoverChannel, *ids: str, klass: str = "promotional") -> list[str]:
    return [answer.outcome for answer in channel.send([outgoing(id, klass=klass) for id in ids])]


class TestContract(ChannelContract):
    """It signs what every adapter signs, also while its first provider is down."""

    @pytest.fixture(params=["up", "down"])
    def adapter(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Adapter]:
        first, second = FileChannel(tmp_path / "one"), FileChannel(tmp_path / "two")
        down = Fake(DOWN)
        providers = [Provider("a", first if request.param == "up" else down), Provider("b", second)]
        channel = FailoverChannel(providers)
        folder = tmp_path / ("one" if request.param == "up" else "two") / "email"
        yield Adapter(channel, arrived=lambda: files_of(folder))
        channel.close()

    def test_a_keyed_message_arrives_once_however_often_it_is_sent(self, adapter: Adapter) -> None:
        assert not adapter.channel.idempotent, "nobody knows after a crash which provider has a message"


def test_the_first_takes_everything_while_it_is_in_order(two: Two) -> None:
    channel, first, second = two
    assert sent(channel, "1", "2", "3") == ["accepted"] * 3
    assert first.given == ["1", "2", "3"] and not second.given


def test_what_a_provider_that_is_down_has_not_taken_goes_to_the_next_in_the_same_hand_over(two: Two) -> None:
    channel, first, second = two
    first.default = DOWN
    assert sent(channel, "1", "2") == ["accepted"] * 2
    assert first.given == second.given == ["1", "2"]


@pytest.mark.parametrize(
    "answer", [Answer("unknown", "lost"), Answer("rejected", "no"), Answer("retry", "busy", after=3.0)]
)
def test_no_other_answer_goes_on(two: Two, answer: Answer) -> None:
    channel, first, second = two
    first.answers["1"] = answer
    assert channel.send([outgoing("1"), outgoing("2")]) == [answer, Answer("accepted")]
    assert not second.given


def test_a_message_that_the_first_may_have_never_goes_to_the_second(two: Two) -> None:
    channel, first, second = two
    first.answers["1"] = Answer("unknown", "lost")
    assert sent(channel, "1", klass="transactional") == ["unknown"]
    first.default = DOWN
    first.answers.clear()
    for _ in range(FAILURES + 2):  # its circuit opens; all others go on to the second
        assert sent(channel, "1", "other", klass="transactional") == ["retry", "accepted"]
    assert set(second.given) == {"other"}
    first.default = Answer("accepted")
    sent_before = len(first.given)
    two[0]._clock.seconds += FIRST_REST  # type: ignore[attr-defined]
    assert sent(channel, "1", klass="transactional") == ["accepted"]
    assert first.given[sent_before:] == ["1"], "the probe"


def test_an_open_circuit_is_passed_by_and_found_closed_by_a_probe(two: Two, clock: Clock) -> None:
    channel, first, _ = two
    first.default = DOWN
    sent(channel, *"123")
    first.groups.clear()
    assert sent(channel, *"456") == ["accepted"] * 3
    assert not first.groups
    clock.seconds += FIRST_REST
    first.default = Answer("accepted")
    assert sent(channel, *"789") == ["accepted"] * 3
    assert first.given == ["7"], "one message finds out"
    assert sent(channel, "10") == ["accepted"]
    assert first.given == ["7", "10"]


def test_an_opt_out_binds_so_nothing_but_transactional_goes_on_after_a_second(two: Two, clock: Clock) -> None:
    channel, first, second = two

    def slow(messages: Sequence[Outgoing]) -> Sequence[Answer]:
        clock.seconds += ONWARD_WITHIN + 0.1
        return [DOWN] * len(messages)

    first.send = slow  # type: ignore[method-assign]
    assert sent(channel, "1") == ["retry"] and not second.given
    assert sent(channel, "2", klass="transactional") == ["accepted"]


def test_while_none_is_in_order_everything_waits_and_is_nobodys_fault(two: Two) -> None:
    channel, first, second = two
    first.default = second.default = DOWN
    sent(channel, *"123")
    [answer] = channel.send([outgoing("4")])
    assert answer.outcome == "retry" and answer.down and "a: 535 revoked; b: 535 revoked" in (answer.reason or "")
    assert answer.after and 0 < answer.after <= FIRST_REST


def test_each_provider_gets_groups_of_its_own_width(clock: Clock) -> None:
    first, second = Fake(DOWN, width=8), Fake(width=3)
    channel = FailoverChannel([Provider("a", first), Provider("b", second)], clock)
    assert channel.width == 3
    channel.send([outgoing(str(n)) for n in range(8)])
    assert [len(group) for group in second.groups] == [3, 3, 2]


def test_an_adapter_that_breaks_its_contract_leaves_its_messages_unknown(two: Two) -> None:
    channel, first, second = two
    first.breaks = True
    assert sent(channel, "1") == ["unknown"]
    assert not second.given


def test_closing_closes_all(two: Two) -> None:
    channel, first, second = two
    channel.close()
    assert first.closed == second.closed == 1


# --- settings ---------------------------------------------------------------------------------------------------------


def test_several_urls_in_one_setting(tmp_path: Path) -> None:
    setting = "smtp://u:secret@one.example.com?daily=500 smtp://two.example.com  file:out"
    assert read_settings(smtp_url=setting).smtp_url == setting
    channel = failover_of(channel_of(setting, base_dir=tmp_path))
    assert channel is not None
    assert [provider.name for provider in channel.providers] == ["smtp", "smtp-2", "file"]
    assert "secret" not in without_password(setting) and "two.example.com" in without_password(setting)


def test_a_folder_may_have_a_blank_in_its_name(tmp_path: Path) -> None:
    channel = channel_of("file:my outbox", base_dir=tmp_path)
    assert isinstance(channel, FileChannel)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("smtp://mail.example.com gopher://x", "begins with 'gopher'"),
        ("smtp://mail.example.com smtp://", "names no host"),
    ],
)
def test_each_url_of_a_setting_is_checked(setting: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_settings(smtp_url=setting)


def test_a_second_url_is_checked_for_its_channel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot go over a mail server"):
        channels_of({"sms": "file:out smtp://mail.example.com"}, base_dir=tmp_path)


class TestWeights:
    """Messages are divided by a hash of their ids; the others stand in."""

    @pytest.fixture
    def weighted(self, clock: Clock) -> tuple[FailoverChannel, Fake, Fake, Fake]:
        fakes = Fake(), Fake(), Fake()
        providers = [Provider(name, fake, weight) for name, fake, weight in zip("abc", fakes, (70, 30, 0), strict=True)]
        return FailoverChannel(providers, clock), *fakes

    def test_each_gets_its_share_and_a_message_meets_the_same_one_again(
        self, weighted: tuple[FailoverChannel, Fake, Fake, Fake]
    ) -> None:
        channel, a, b, c = weighted
        ids = [f"m{number}" for number in range(2_000)]
        assert set(sent(channel, *ids)) == {"accepted"}
        assert sorted([*a.given, *b.given]) == sorted(ids) and not c.given
        assert 1_300 < len(a.given) < 1_500
        first = set(a.given)
        sent(channel, *reversed(ids))
        assert len(a.given) == 2 * len(first) and set(a.given) == first

    def test_the_others_stand_in_for_one_that_is_down(self, weighted: tuple[FailoverChannel, Fake, Fake, Fake]) -> None:
        channel, a, b, c = weighted
        ids = [f"m{number}" for number in range(40)]
        b.default = DOWN
        assert set(sent(channel, *ids)) == {"accepted"}
        assert sorted(a.given) == sorted(ids) and b.given and not c.given
        a.default = DOWN
        assert set(sent(channel, "n1", "n2", "n3")) == {"accepted"} and sorted(c.given) == ["n1", "n2", "n3"]

    def test_what_a_provider_may_have_stays_its_own(self, weighted: tuple[FailoverChannel, Fake, Fake, Fake]) -> None:
        channel, a, b, _ = weighted
        sent(channel, *[f"m{number}" for number in range(20)])
        mine = b.given[0]
        b.answers[mine] = Answer("unknown", "lost")
        assert sent(channel, mine) == ["unknown"]
        b.answers[mine] = DOWN
        assert sent(channel, mine) == ["retry"] and mine not in a.given

    @pytest.mark.parametrize(
        ("urls", "said"),
        [
            ("null:?weight=7", "there is one provider"),
            ("null:?weight=7 console:", "say it for each"),
            ("null:?weight=0 console:?weight=0", "nobody takes anything"),
            ("null:?weight=x console:?weight=1", "expected a whole number"),
            ("null:?weight=-1 console:?weight=1", "expected a whole number"),
        ],
    )
    def test_what_is_no_weight(self, tmp_path: Path, urls: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            channel_of(urls, base_dir=tmp_path)

    def test_a_setting_with_weights(self, tmp_path: Path) -> None:
        channel = channel_of("null:?weight=3&daily=5 file:out?weight=1", base_dir=tmp_path)
        assert isinstance(channel, FailoverChannel)
        assert [provider.weight for provider in channel.providers] == [3, 1]
