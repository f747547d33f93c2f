"""Where calls of journeys may go: which URLs, addresses and ports. Pure: no name is looked up here.

Journeys are written by people who shall not reach the inside of our network with them, nor shall a customer whose
attribute stands in a URL. So every address that is not plainly public is refused, however it is spelt, unless the
operator's allow-list names it. Entries of the list:

    crm.internal.example         this name: any port, and whatever addresses it has
    crm.internal.example:8025    this name, this port only
    10.20.0.0/16 · 10.20.0.7 · ::1 · [::1]:9000      addresses (also those that other names lead to)

Public hosts need no entry on ports 80, 443, 8080 and 8443; other ports need one that names host or address.
Networks that reach IPv4 through NAT64 alone have to list `64:ff9b::/96`; that opens whatever their gateway forwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, urljoin, urlsplit

import idna

from orchestrator.channels.http_failure import CallFailed
from orchestrator.errors import UsageError

Address: TypeAlias = IPv4Address | IPv6Address

WEB_PORTS: Final = frozenset({80, 443, 8080, 8443})
LONGEST_URL: Final = 8_000
LONGEST_HOST: Final = 253

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")

# IANA's special-purpose registries (RFC 6890 and its updates), and one public address that belongs to the inside.
_CLOSED_4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider's customers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own service"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_CLOSED_6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4 in disguise"),
        ("64:ff9b::/96", "IPv4 behind NAT64"),
        ("64:ff9b:1::/48", "IPv4 behind NAT64"),
        ("2001::/32", "IPv4 behind Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "IPv4 behind 6to4"),
        ("3fff::/20", "for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
"""The only part of IPv6 that is routed between networks; the rest is closed, listed above or not."""
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an interface id that holds an IPv4 address in its lower half (RFC 5214)."""


class Target(NamedTuple):
    """A URL in its one canonical spelling. `host` is an ASCII name, or `address` in text where that is set; `path`
    begins with `/` and holds the query."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """Host and port: what connections, the breaker and the comparison of origins go by."""
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host

    @property
    def host_header(self) -> str:
        """The value of `Host`: the port is left out where the scheme implies it."""
        return self.bracketed if self.port == _DEFAULT_PORTS[self.scheme] else self.authority

    @property
    def url(self) -> str:
        """The whole URL, to resolve a redirect against."""
        return f"{self.scheme}://{self.host_header}{self.path}"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def parse_target(url: str) -> Target:
    """What a URL names. Raises CallFailed (bad_url): all that two readers could understand differently is refused."""
    if len(url) > LONGEST_URL:
        raise CallFailed("bad_url", f"the URL has {len(url)} characters; at most {LONGEST_URL} are possible")
    if any(c <= " " or c == "\x7f" or c == "\\" for c in url):
        raise CallFailed("bad_url", "the URL holds a blank, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CallFailed("bad_url", f"the URL cannot be read ({error})") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise CallFailed("bad_url", f"the URL begins with '{parts.scheme}:'; possible are http:// and https://")
    if "@" in parts.netloc:
        raise CallFailed("bad_url", "the URL holds a user name or password; take it out, and send a header instead")
    if port == 0:
        raise CallFailed("bad_url", "the port is 0")
    host, address = _host_of(parts.netloc)
    try:
        path = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    except UnicodeEncodeError:
        raise CallFailed("bad_url", "the URL holds half of a character") from None
    return Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path, address)


_KEPT: Final = "/?:@!$&'()*+,;=-._~%[]"


def redirected(target: Target, location: str) -> Target:
    """Where a redirect leads. Raises CallFailed, also where it leads from https to http."""
    try:
        url = urljoin(target.url, location)
    except ValueError as error:
        raise CallFailed("bad_url", f"the redirect cannot be read ({error})") from None
    there = parse_target(url)
    if target.scheme == "https" and there.scheme == "http":
        raise CallFailed("refused_redirect", f"{target.host} leads from https to http")
    return there


def _host_of(netloc: str) -> tuple[str, Address | None]:
    if netloc.startswith("["):
        inside, _, after = netloc[1:].partition("]")
        try:
            address: Address = IPv6Address(inside)
        except ValueError:
            raise CallFailed("bad_url", f"'[{inside}]' is no IPv6 address") from None
        if "%" in inside or (after and not after.startswith(":")):
            raise CallFailed("bad_url", f"'{netloc}' is more than an IPv6 address and a port")
        return str(address), address
    return _name_or_address(netloc.rpartition(":")[0] if ":" in netloc else netloc)


def _name_or_address(written: str) -> tuple[str, Address | None]:
    """The host as readers of URLs understand it (WHATWG URL, host parsing), so that they cannot differ from us."""
    name = written.lower()
    if not name.isascii():
        try:
            name = idna.uts46_remap(name, std3_rules=False, transitional=False)
            if not name.isascii():
                name = idna.encode(name).decode("ascii")
        except (idna.IDNAError, ValueError):
            raise CallFailed("bad_url", f"'{written}' is no host name") from None
        name = name.lower()
    name = name.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        four = _as_ipv4(labels)
        if four is None:
            raise CallFailed("bad_url", f"'{written}' is no IPv4 address")
        return str(four), four
    if not name or len(name) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise CallFailed("bad_url", f"'{written}' is no host name")
    return name, None


def _as_ipv4(labels: Sequence[str]) -> IPv4Address | None:
    """The address that `inet_aton` reads from one to four numbers: decimal, octal (0...) or hexadecimal (0x...)."""
    if len(labels) > 4 or not all(map(_NUMBER.fullmatch, labels)) or max(map(len, labels)) > 40:
        return None
    numbers = []
    for label in labels:
        if label[:2] in ("0x", "0X"):
            numbers.append(int(label[2:] or "0", 16))
        elif len(label) > 1 and label[0] == "0":
            if not set(label) <= set("01234567"):
                return None
            numbers.append(int(label, 8))
        else:
            numbers.append(int(label))
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        return None
    return IPv4Address(sum(number << (24 - 8 * place) for place, number in enumerate(leading)) + last)


def closed(address: Address) -> str | None:
    """Why an address cannot be reached unless it is allowed; None: it is public."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _CLOSED_4 if address in network), None)
    if address.scope_id is not None:
        return "bound to one interface"
    why = next((why for network, why in _CLOSED_6 if address in network), None)
    if why is not None:
        return why
    if address not in _GLOBAL_6:
        return "reserved"
    return "IPv4 in disguise" if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP else None


class AllowList:
    """What the operator opened; see the module's docstring for entries. Raises UsageError for one that is none."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[IPv4Network | IPv6Network, int | None]] = []
        for entry in entries:
            self._add(entry)

    def has_name(self, host: str, port: int) -> bool:
        """Whether this name may be reached at this port, wherever it leads."""
        return (host, None) in self._names or (host, port) in self._names

    def has_address(self, address: Address, port: int) -> bool:
        """Whether this address may be reached at this port."""
        return any(address in network and only in (None, port) for network, only in self._networks)

    def _add(self, entry: str) -> None:
        text = entry.strip()
        try:
            self._networks.append((ip_network(text, strict=False), None))
            return
        except ValueError:
            pass
        try:
            if not text or set(text) & set("/@?#*"):
                raise ValueError
            parts = urlsplit(f"http://{text}")
            host, address = _host_of(parts.netloc)
            port = parts.port
        except (ValueError, CallFailed):
            raise UsageError(
                f"the allow-list of calls holds '{entry}'; expected a host name, an address or a network, names and "
                "addresses with a port if you like: crm.example.com, crm.example.com:8025, 10.20.0.0/16, [::1]:9000",
                "bad_setting",
            ) from None
        if address is None:
            self._names.add((host, port))
        else:
            self._networks.append((ip_network(address), port))


def checked_addresses(target: Target, found: Sequence[str], allow: AllowList) -> list[Address]:
    """All the addresses of a host, if every one may be reached. Raises CallFailed (refused_address, refused_port).

    One closed address among public ones refuses them all: an honest name has no such mixture, and which of them would
    be taken is up to chance.
    """
    addresses = []
    for text in found:
        try:
            address = ip_address(text)
        except ValueError:
            raise CallFailed("connection", f"the look-up of {target.host} gave '{text}', which is no address") from None
        addresses.append(address)
        if allow.has_name(target.host, target.port) or allow.has_address(address, target.port):
            continue
        why = closed(address)
        if why is not None:
            shown = target.host if target.address is not None else f"{target.host} leads to {address}, which"
            raise CallFailed("refused_address", f"{shown} is {why}; an operator can allow it")
        if target.port not in WEB_PORTS:
            raise CallFailed(
                "refused_port", f"port {target.port} of {target.host} is not open to calls; an operator can allow it"
            )
    if not addresses:
        raise CallFailed("connection", f"{target.host} has no address")
    return list(dict.fromkeys(addresses))
