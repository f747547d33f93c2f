"""What is found about a sender in a DNS that a test made up, and about links."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.checking import Finding, Sender, check_public, check_sender
from orchestrator.channels.dkim import DkimKey
from orchestrator.channels.dns_records import LookupFailed, aligned, dkim_record, dmarc_of, spf_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = DkimKey("mail", generate_private_key(65537, 2048))
BRAND = "brand.example"


class Zone:
    """A DNS of TXT and MX records. A record `!` cannot be asked for."""

    def __init__(self, txt: Mapping[str, Sequence[str]], mx: Mapping[str, Sequence[str]] | None = None) -> None:
        self._txt = txt
        self._mx = mx or {}

    def txt(self, name: str) -> Sequence[str]:
        found = self._txt.get(name, ())
        if "!" in found:
            raise LookupFailed(f"TXT of {name}: timed out")
        return found

    def mx(self, name: str) -> Sequence[str]:
        return self._mx.get(name, ())


GOOD: dict[str, Sequence[str]] = {
    BRAND: ["google-site-verification=x", "v=spf1 include:_spf.provider.example mx -all"],
    "_spf.provider.example": ["v=spf1 ip4:192.0.2.0/24 include:more.provider.example ~all"],
    "more.provider.example": ["v=spf1 ip6:2001:db8::/32 a -all"],
    f"mail._domainkey.{BRAND}": [KEY.record()],
    f"_dmarc.{BRAND}": [f"v=DMARC1; p=quarantine; rua=mailto:d@{BRAND}"],
}
MX = {BRAND: ["mx1.brand.example"]}


def found(records: Mapping[str, Sequence[str]], sender: Sender | None = None) -> dict[str, Finding]:
    """By what was looked at, the worst finding of each."""
    order = {"ok": 0, "warn": 1, "bad": 2}
    worst: dict[str, Finding] = {}
    for one in check_sender(Zone({**GOOD, **records}, MX), sender or Sender(BRAND, BRAND, BRAND, [KEY])):
        if one.what not in worst or order[one.state] >= order[worst[one.what].state]:
            worst[one.what] = one
    return worst


def test_a_sender_in_order() -> None:
    states = {what: one.state for what, one in found({}).items()}
    assert states == {"SPF": "ok", "DKIM": "ok", "DMARC": "ok", "alignment": "ok", "MX": "ok"}
    assert found({})["SPF"].words.startswith("4 of 10 look-ups")


ALL_SPF = [
    ([], "bad", "no SPF record"),
    (["v=spf1 -all", "v=spf1 ~all"], "bad", "2 SPF records"),
    (["v=spf1 +all"], "bad", "anybody may send"),
    (["v=spf1 ip4:192.0.2.1"], "warn", "no `all`"),
    (["v=spf1 ?all"], "warn", "`?all`"),
    (["v=spf1 include:nobody.example -all"], "bad", "has no SPF record"),
    ([f"v=spf1 include:{BRAND} -all"], "bad", "includes it again"),
    (["v=spf1 inclued:x.example -all"], "bad", "no mechanism"),
    (["v=spf1 ptr -all"], "bad", "ptr"),
    (["v=spf1 " + "mx:a.example " * 11 + "-all"], "bad", "takes 11 look-ups"),
    (["!"], "warn", "could not be asked"),
    (["v=spf1 redirect=more.provider.example"], "ok", "2 of 10"),
]


@pytest.mark.parametrize(("records", "state", "words"), ALL_SPF)
def test_spf(records: list[str], state: str, words: str) -> None:
    one = found({BRAND: records})["SPF"]
    assert (one.state, words in one.words) == (state, True), one
    assert state == "ok" or one.todo


def test_includes_of_includes_count() -> None:
    zone = {f"s{n}.example": [f"v=spf1 include:s{n + 1}.example -all"] for n in range(30)}
    spf = spf_of(Zone(zone), "s0.example")
    assert spf.lookups > 10
    assert any("look-ups" in fault for fault in spf.faults)


@pytest.mark.parametrize(
    ("records", "state", "words"),
    [
        ([], "bad", "no key stands"),
        (["v=DKIM1; p="], "bad", "revoked"),
        (["v=DKIM1; p=!!"], "bad", "cannot be read"),
        ([KEY.record(), KEY.record()], "bad", "2 keys"),
        ([DkimKey("mail", generate_private_key(65537, 2048)).record()], "bad", "not that of our private key"),
        ([DkimKey("mail", Ed25519PrivateKey.generate()).record()], "bad", "not that of our private key"),
        ([KEY.record() + "; t=y"], "warn", "a test"),
        ([KEY.record().replace("; ", ";").replace("k=rsa;", "")], "ok", "ours"),
        (["!"], "warn", "could not be asked"),
    ],
)
def test_dkim(records: list[str], state: str, words: str) -> None:
    one = found({f"mail._domainkey.{BRAND}": records})["DKIM"]
    assert (one.state, words in one.words) == (state, True), one


def test_a_short_key_is_told() -> None:
    short = DkimKey("mail", generate_private_key(65537, 1024))
    sender = Sender(BRAND, BRAND, BRAND, [short])
    assert found({f"mail._domainkey.{BRAND}": [short.record()]}, sender)["DKIM"].words.endswith("1024 bits")


@pytest.mark.parametrize(
    ("records", "state", "words"),
    [
        ([], "bad", "no DMARC record"),
        (["v=DMARC1; p=none; rua=mailto:a@b.example"], "warn", "p=none"),
        (["v=DMARC1; p=reject"], "warn", "no reports"),
        (["v=DMARC1; p=maybe"], "bad", "maybe"),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], "bad", "no DMARC record"),
        (["!"], "warn", "could not be asked"),
    ],
)
def test_dmarc(records: list[str], state: str, words: str) -> None:
    one = found({f"_dmarc.{BRAND}": records})["DMARC"]
    assert (one.state, words in one.words) == (state, True), one


def test_the_policy_of_the_domain_above_holds() -> None:
    dmarc = dmarc_of(Zone({"_dmarc.brand.example": ["v=DMARC1; p=none; sp=reject; adkim=s"]}), "a.news.brand.example")
    assert dmarc is not None
    assert (dmarc.at, dmarc.policy, dmarc.strict_dkim, dmarc.strict_spf) == ("brand.example", "reject", True, False)


@pytest.mark.parametrize(
    ("sender", "other", "strict", "above", "expected"),
    [
        ("brand.example", "brand.example", True, None, True),
        ("brand.example", "b.brand.example", False, None, True),
        ("brand.example", "b.brand.example", True, None, False),
        ("a.brand.example", "b.brand.example", False, "brand.example", True),
        ("a.brand.example", "b.brand.example", False, None, False),
        ("brand.example", "notbrand.example", False, "brand.example", False),
    ],
)
def test_alignment(sender: str, other: str, strict: bool, above: str | None, expected: bool) -> None:
    assert aligned(sender, other, strict, above) == expected


def test_an_envelope_of_somebody_else_needs_a_signature() -> None:
    elsewhere = {"b.provider.example": ["v=spf1 -all"]}
    assert found(elsewhere, Sender(BRAND, "b.provider.example"))["alignment"].state == "warn"
    assert found(elsewhere, Sender(BRAND, "b.provider.example", BRAND, [KEY]))["alignment"].state == "ok"
    assert found({}, Sender(BRAND, "b.provider.example"))["MX"].state == "bad"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), st.lists(st.text(max_size=80), max_size=3)))
def test_no_record_breaks_the_check(records: dict[str, list[str]]) -> None:
    assert all(one.words for one in found(records).values())


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: f"v=DKIM1; p={b64encode(data).decode()}"))
def test_no_key_breaks_the_reading(text: str) -> None:
    record = dkim_record(text)
    assert record is None or isinstance(record.key, bytes)


def links(base_url: str, status: int | OSError, leaves: bool = True) -> dict[str, str]:
    def visit(url: str) -> int:
        assert url.endswith("/u/check")
        if isinstance(status, OSError):
            raise status
        return status

    return {one.what: one.state for one in check_public(base_url, visit, NOW, leaves)}


def test_links() -> None:
    assert links("http://localhost:8000", 200) == {"links": "bad"}
    assert links("http://localhost:8000", 200, leaves=False) == {"links": "warn"}
    assert links("http://go.brand.example", 404) == {"TLS": "bad", "unsubscribe": "ok"}
    assert links("http://go.brand.example", 502) == {"TLS": "bad", "unsubscribe": "bad"}
    assert links("http://go.brand.example", OSError("refused")) == {"TLS": "bad", "unsubscribe": "bad"}


def test_keys_are_read_as_the_channel_reads_them(tmp_path: Path) -> None:
    assert dkim_record(KEY.record()) == dkim_record(" v = DKIM1 ; k=rsa; p=" + KEY.record().partition("p=")[2])
