"""What an erasure leaves to be shown: the hash that stands for the person, and the certificate of what was erased."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, Final, NamedTuple

from orchestrator.core.time.iso import format_instant

ERASED: Final = "erased:"
"""Before the hash of an id, wherever one stands in place of the id."""


class Certificate(NamedTuple):
    """What was erased where. `customer`: the hash of the id; `tables`: rows by table, as `deleted` or `anonymised`;
    `previous`: the digest of the certificate before this one, so that none can be taken out unseen."""

    customer: str
    erased_at: datetime
    erased_by: str
    tables: Mapping[str, Mapping[str, int]]
    suppressed: tuple[str, ...]
    previous: str | None
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """For a file: what `digest` is made of, and the digest."""
        return {**_content(self), "digest": self.digest}


def hash_of(salt: str, customer: str) -> str:
    """What stands for an erased id: nobody without the installation's salt can tell whose it is."""
    return blake2b(customer.encode("utf-8", "surrogatepass"), key=salt.encode()[:64], digest_size=16).hexdigest()


def certified(
    customer: str,
    erased_at: datetime,
    erased_by: str,
    tables: Mapping[str, Mapping[str, int]],
    suppressed: Iterable[str],
    previous: str | None,
) -> Certificate:
    """The certificate with its digest: SHA-256 over all else as JSON with sorted keys."""
    told = {name: dict(counts) for name, counts in sorted(tables.items()) if any(counts.values())}
    made = Certificate(customer, erased_at, erased_by, told, tuple(suppressed), previous, "")
    return made._replace(digest=digest_of(_content(made)))


def digest_of(certificate: Mapping[str, Any]) -> str:
    """The digest that a certificate must have; `digest` itself is left out."""
    content = {name: value for name, value in certificate.items() if name != "digest"}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _content(certificate: Certificate) -> dict[str, Any]:
    return {
        "certificate": "erasure",
        "customer": certificate.customer,
        "erased_at": format_instant(certificate.erased_at),
        "erased_by": certificate.erased_by,
        "tables": {name: dict(counts) for name, counts in certificate.tables.items()},
        "suppressed": list(certificate.suppressed),
        "previous": certificate.previous,
    }
