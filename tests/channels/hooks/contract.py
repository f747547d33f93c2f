"""What every reader of a provider's callbacks promises, as tests. A new one plugs in with a fixture `case`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Posted, Told, ToldKind
from orchestrator.channels.hooks.reading import ClosedHook
from orchestrator.channels.hooks.registry import AnyOf

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
OUTSIDE = {400, 401, 403, 413, 415}

JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True)
class HookCase:
    """A hook under test. `posted` is a genuine request, `told` what it says.

    `sign` gives a changed request the signature that the provider would give it. `covered`: the parts of the body that
    the signature covers (None: each byte of it). `keys`: the headers without which, or with another value of which, it
    is not genuine. `fresh_for`: the age beyond which it is refused.
    """

    hook: Hook
    posted: Posted
    told: Sequence[Told]
    sign: Callable[[Posted], Posted]
    covered: Sequence[bytes] | None = None
    keys: Sequence[str] = ()
    fresh_for: timedelta | None = None


def posted(body: bytes | dict[str, Any] | list[Any], headers: dict[str, str] | None = None, **more: Any) -> Posted:
    """A request as it came."""
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {"method": "POST", "url": "https://journeys.example.com/hooks/x", "at": AT, **more}
    return Posted(headers=headers or {}, body=written, **known)


class HookContract:
    """The tests."""

    def test_a_genuine_request_is_understood(self, case: HookCase) -> None:
        found = list(case.hook.read(case.posted).told)
        assert found == list(case.told), f"\n{found}\n{list(case.told)}"
        assert case.told, "a case without anything told tests little"

    def test_the_same_request_says_the_same(self, case: HookCase) -> None:
        assert case.hook.read(case.posted) == case.hook.read(case.posted)

    def test_things_told_at_once_have_ids_of_their_own(self, case: HookCase) -> None:
        ids = [told.event_id for told in case.hook.read(case.posted).told]
        assert len(set(ids)) == len(ids)

    def test_without_its_headers_it_is_refused(self, case: HookCase) -> None:
        for name in case.keys:
            kept = {header: value for header, value in case.posted.headers.items() if header != name}
            assert refusal(case.hook, case.posted._replace(headers=kept)) in (401, 403), name

    def test_with_changed_headers_it_is_refused(self, case: HookCase) -> None:
        for name in case.keys:
            value = case.posted.headers[name]
            for wrong in ("", changed(value), value[: len(value) // 2], f"{value[:-4]}\u20ac\udcff", "\x00" * 9000):
                headers = {**case.posted.headers, name: wrong}
                assert refusal(case.hook, case.posted._replace(headers=headers)) in (401, 403), (name, wrong)

    def test_tampering_with_any_byte_is_refused(self, case: HookCase) -> None:
        body = case.posted.body
        for part in [body] if case.covered is None else case.covered:
            assert part in body
            start = body.index(part)
            for place in range(start, start + len(part)):
                other = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
                assert refusal(case.hook, case.posted._replace(body=other)) in OUTSIDE, (place, other)

    def test_an_old_request_is_refused(self, case: HookCase) -> None:
        if case.fresh_for is None:
            return
        late = case.posted._replace(at=case.posted.at + case.fresh_for + timedelta(minutes=1))
        assert refusal(case.hook, late) in (401, 403)
        assert refusal(case.hook, case.posted._replace(at=case.posted.at - timedelta(days=2))) in (401, 403)

    def test_random_bytes_are_refused_or_say_nothing(self, case: HookCase) -> None:
        @given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
        def holds(body: bytes) -> None:
            for request in (case.posted._replace(body=body), case.sign(case.posted._replace(body=body))):
                heard = heard_or_refused(case.hook, request)
                assert heard is None or not heard.told

        holds()

    def test_a_signed_oddity_never_raises(self, case: HookCase) -> None:
        try:
            genuine = json.loads(case.posted.body)
        except ValueError:
            return  # its callbacks are no JSON; random bytes are enough

        @given(st.data())
        def holds(data: st.DataObject) -> None:
            body = json.dumps(_grafted(genuine, data.draw(JSONISH), data)).encode()
            heard = heard_or_refused(case.hook, case.sign(case.posted._replace(body=body)))
            for told in heard.told if heard is not None else ():
                check_told(told)

        holds()

    def test_deep_and_long_bodies_never_raise(self, case: HookCase) -> None:
        for body in (
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"9" * 10_000,
            b"a=" * 5_000,
            b"",
            b"\xff\xfe",
            b"null",
            b"&&=",
        ):
            heard_or_refused(case.hook, case.sign(case.posted._replace(body=body)))

    def test_two_of_them_say_what_each_says_alone(self, case: HookCase) -> None:
        """Another account of the same provider at the same address changes nothing, wherever it stands."""
        refuses = ClosedHook(case.hook.provider, "SECRET")
        for hooks in ([case.hook, refuses], [refuses, case.hook], [case.hook, case.hook]):
            both = AnyOf(case.hook.provider, hooks)
            assert list(both.read(case.posted).told) == list(case.told)
            assert both.read(case.posted).answer == case.hook.read(case.posted).answer
            assert both.answers_get == getattr(case.hook, "answers_get", False)


def refusal(hook: Hook, request: Posted) -> int | None:
    """The status with which a request was refused; None: it was taken."""
    try:
        hook.read(request)
    except HookRefused as error:
        refused = error
    else:
        return None
    assert str(refused).isprintable()
    return refused.status


def heard_or_refused(hook: Hook, request: Posted) -> Heard | None:
    """What was heard, None where it was refused; any other exception fails the test."""
    try:
        return hook.read(request)
    except HookRefused as error:
        status = error.status
    assert 400 <= status < 500
    return None


def check_told(told: Told) -> None:
    """What was told has the shape that its reader counts on."""
    assert told.kind in get_args(ToldKind)
    assert told.channel and 0 < len(told.event_id) <= 300
    assert told.at is None or told.at.tzinfo is not None
    for text in (told.event_id, told.message_id, told.address, told.text, told.url, told.reason):
        assert text is None or (isinstance(text, str) and text.encode() is not None)


def changed(text: str) -> str:
    """Another text of the same length, different from its first character on."""
    return ("b" if text[:1] == "a" else "a") + text[1:]


def _grafted(value: Any, odd: Any, data: st.DataObject) -> Any:
    """A value with an oddity somewhere in it."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: _grafted(value[name], odd, data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        return [_grafted(value[0], odd, data), *value[1:]]
    return odd


__all__ = ["AT", "HookCase", "HookContract", "check_told", "posted", "refusal"]
