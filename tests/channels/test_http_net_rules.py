"""Where calls may go: every spelling of every internal address is refused, whoever reads it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.net_rules import AllowList, Target, checked_addresses, closed, parse_target, redirected
from orchestrator.errors import UsageError

INTERNAL_4 = [
    *map(IPv4Network, ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12")),
    *map(IPv4Network, ("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24")),
    *map(IPv4Network, ("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "192.88.99.0/24", "168.63.129.16/32")),
]
INTERNAL_6 = [
    *map(IPv6Network, ("::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8", "2001:db8::/32", "100::/64")),
    *map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "3fff::/20")),
    *map(IPv6Network, ("fec0::/10", "5f00::/16", "::/96", "2001:20::/28", "4000::/3")),
]
NOTHING = AllowList()


@st.composite
def internal_4(draw: Any) -> IPv4Address:
    network = draw(st.sampled_from(INTERNAL_4))
    return IPv4Address(int(network[0]) + draw(st.integers(0, network.num_addresses - 1)))


@st.composite
def internal_6(draw: Any) -> IPv6Address:
    network = draw(st.sampled_from(INTERNAL_6))
    return IPv6Address(int(network[0]) + draw(st.integers(0, network.num_addresses - 1)))


def in_base(draw: Any, number: int) -> str:
    way = draw(st.sampled_from(["{}", "0{:o}", "000{:o}", "0x{:x}", "0X{:X}", "0x000{:x}"]))
    return str(way.format(number))


@st.composite
def spelt_4(draw: Any, addresses: st.SearchStrategy[IPv4Address]) -> str:
    """An IPv4 address as `inet_aton` and browsers read it: one to four numbers in any base, in any script."""
    packed = draw(addresses).packed
    parts = draw(st.integers(1, 4))
    numbers = [*packed[: parts - 1], int.from_bytes(packed[parts - 1 :], "big")]
    text = draw(st.sampled_from([".", "。", "．", "｡"])).join(in_base(draw, number) for number in numbers)
    if draw(st.booleans()):
        wide = {ord(c): ord(c) + 0xFEE0 for c in "0123456789xXabcdefABCDEF"}
        places = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
        text = "".join(c.translate(wide) if place else c for c, place in zip(text, places))
    if draw(st.booleans()):
        text = text.replace("1", draw(st.sampled_from(["①", "¹", "₁", "𝟏", "１", "1\u00ad", "1\u200b"])))
    return text + draw(st.sampled_from(["", ".", "。"]))


@st.composite
def spelt_6(draw: Any) -> str:
    """An IPv6 address, compressed or not, perhaps with its last half written as IPv4."""
    address = draw(internal_6())
    text = draw(st.sampled_from([address.compressed, address.exploded]))
    if draw(st.booleans()):
        text = f"{address.exploded.rsplit(':', 2)[0]}:{IPv4Address(int(address) & 0xFFFF_FFFF)}"
    return f"[{text.upper() if draw(st.booleans()) else text}]"


def parsed(url: str) -> tuple[Target | None, str | None]:
    """(target, None), or (None, the reason)."""
    try:
        return parse_target(url), None
    except CallFailed as failure:
        assert_one_line(str(failure))
        return None, failure.reason


def assert_one_line(text: str) -> None:
    assert text.isprintable() and len(text) < 250


def reason(url: str, found: list[str] | None = None) -> str | None:
    """Why a URL is refused; None: it is not. A look-up, where one is needed, gives `found`."""
    try:
        target = parse_target(url)
        checked_addresses(target, found if target.address is None and found is not None else [target.host], NOTHING)
    except CallFailed as failure:
        return failure.reason
    return None


@given(st.one_of(spelt_4(internal_4()), spelt_6()), st.sampled_from(["", ":80", ":8080", ":"]))
@example("2130706433", "")
@example("0x7f.1", "")
@example("0177.0.0.1", ":80")
@example("①②⑦.0.0.1", "")
@example("[::ffff:169.254.169.254]", "")
@example("[64:ff9b::7f00:1]", "")
@example("[2001:4860:1:2:0:5efe:a00:1]", "")
def test_no_spelling_of_an_internal_address_is_reached(host: str, port: str) -> None:
    assert reason(f"http://{host}{port}/latest/meta-data") in {"refused_address", "bad_url"}


@given(internal_4(), st.sampled_from([4, 3, 2, 1]))
def test_the_usual_spellings_are_understood_and_not_only_unreadable(address: IPv4Address, parts: int) -> None:
    packed = address.packed
    numbers = [*packed[: parts - 1], int.from_bytes(packed[parts - 1 :], "big")]
    assert reason(f"https://{'.'.join(map(str, numbers))}/") == "refused_address"
    assert reason(f"https://{'.'.join(map(hex, numbers))}./") == "refused_address"
    assert reason(f"https://[::ffff:{address}]/") == "refused_address"
    assert reason(f"https://[64:ff9b::{address}]/") == "refused_address"


@given(st.text("0123456789abfxX.", min_size=1, max_size=20))
@example("1.2.3.08")
@example("0x")
@example("4294967296")
def test_what_the_c_library_reads_as_an_address_is_never_taken_for_a_name(host: str) -> None:
    try:
        read = IPv4Address(socket.inet_aton(host))
    except OSError:
        return
    target, why = parsed(f"http://{host}/")
    assert why == "bad_url" if target is None else target.address == read


@given(st.lists(st.one_of(internal_4(), internal_6()), min_size=1, max_size=3), st.integers(0, 3))
def test_a_name_with_one_internal_address_is_refused_wherever_it_stands(bad: list[Any], place: int) -> None:
    found = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "8.8.8.8"]
    found[place:place] = map(str, bad)
    assert reason("https://api.example.com/", found) == "refused_address"


def test_public_addresses_pass_in_the_order_given() -> None:
    found = ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14", "93.184.215.14"]
    target = parse_target("https://Bücher.Example.:8443/a b".replace(" ", "%20") + "?q=ü#f")
    assert (target.host, target.port, target.path) == ("xn--bcher-kva.example", 8443, "/a%20b?q=%C3%BC")
    assert list(map(str, checked_addresses(target, found, NOTHING))) == found[:2]


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_registries_do_not_call_global(address: Any) -> None:
    # The standard library's tables were drawn by other people, from the same registries.
    if closed(address) is None:
        assert address.is_global and not address.is_multicast


def test_a_scoped_address_is_bound_to_one_interface() -> None:
    assert closed(ip_address("2606:2800::1%eth0")) is not None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com", "", "http://", "http:///x",
        "http://user@example.com/", "http://user:pw@example.com/", "http://example.com\\@10.0.0.1/",
        "http://example.com\t/", "http://exa\nmple.com/", "http://a b/", "http://%31%30.0.0.1/", "http://a..b/",
        "http://example.com:0/", "http://example.com:99999/", "http://example.com:http/", "http://[::1", "http://::1/",
        "http://[::1]x/", "http://[::1%25lo]/", "http://[v1.a]/", "http://-a.example/", "http://1.2.3.4.5/",
        "http://256.1.1.1/", "http://1.2.3.08/", "http://example.com/\udcff", "http://" + "a" * 64 + ".com/",
        "http://ex\u2100mple.com/", "http://" + "1" * 5000 + "/", "gopher://127.0.0.1:25/", "http://a/" + "x" * 9000,
        "http://0x7f.0x/g", "javascript:alert(1)", "http://example.com.\u200b./",
    ],
)  # fmt: skip
def test_what_two_readers_could_understand_differently_is_no_url(url: str) -> None:
    assert reason(url, ["93.184.215.14"]) in {"bad_url", "refused_address"}


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://["]))
def test_any_text_is_a_target_or_refused(text: str, scheme: str) -> None:
    target, why = parsed(scheme + text)
    if target is None:
        assert why == "bad_url"
        return
    again = parse_target(target.url)
    assert (again.authority, again.scheme, again.address) == (target.authority, target.scheme, target.address)
    target.path.encode("ascii")
    target.host.encode("ascii")


@pytest.mark.parametrize("port", [22, 25, 6379, 9200, 81])
def test_other_ports_need_an_entry(port: int) -> None:
    assert reason(f"http://93.184.215.14:{port}/") == "refused_port"
    assert reason(f"http://api.example.com:{port}/", ["93.184.215.14"]) == "refused_port"
    for entries in (["api.example.com"], [f"API.example.com.:{port}"], ["93.184.215.0/24"], [f"93.184.215.14:{port}"]):
        target = parse_target(f"http://api.example.com:{port}/")
        assert checked_addresses(target, ["93.184.215.14"], AllowList(entries))


def test_the_allow_list_opens_what_it_names_and_no_more() -> None:
    def opened(url: str, found: str, *entries: str) -> bool:
        try:
            return bool(checked_addresses(parse_target(url), [found], AllowList(entries)))
        except CallFailed as failure:
            return not failure.reason.startswith("refused_")

    assert opened("http://127.0.0.1:5000/", "127.0.0.1", "127.0.0.1")
    assert opened("http://crm.internal/", "10.1.2.3", "crm.internal")
    assert opened("http://crm.internal:81/", "10.1.2.3", "10.0.0.0/8")
    assert opened("http://[::1]:9000/", "::1", "[::1]:9000")
    assert not opened("http://[::1]:9001/", "::1", "[::1]:9000")
    assert not opened("http://crm.internal:82/", "10.1.2.3", "crm.internal:81")
    assert not opened("http://not-crm.internal/", "10.1.2.3", "crm.internal")
    assert not opened("http://crm.internal/", "10.1.2.3", "10.1.2.4", "192.168.0.0/16")
    assert not opened("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("entry", ["", "*", "*.example.com", "http://a.example", "a.example/x", "10.0.0.0/40", "a b"])
def test_an_entry_that_is_none_is_refused_with_a_way_out(entry: str) -> None:
    with pytest.raises(UsageError, match="expected a host name, an address or a network"):
        AllowList(["ok.example", entry])


def test_redirects_resolve_against_where_they_stand() -> None:
    target = parse_target("https://a.example:8443/x/y?z")
    lead: Callable[[str], str] = lambda location: redirected(target, location).url  # noqa: E731
    assert lead("../q") == "https://a.example:8443/q"
    assert lead("//b.example/") == "https://b.example/"
    for location, why in (("http://a.example/", "refused_redirect"), ("file:///x", "bad_url"), ("//[", "bad_url")):
        with pytest.raises(CallFailed) as caught:
            redirected(target, location)
        assert caught.value.reason == why
