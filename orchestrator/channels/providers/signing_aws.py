"""Signature Version 4 of Amazon Web Services (AWS4-HMAC-SHA256), as its public manual describes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-._~"


class AwsAccess(NamedTuple):
    """Whose key signs, and for which service of which region."""

    key_id: str
    secret: str
    region: str
    service: str

    def __repr__(self) -> str:
        return f"AwsAccess({self.key_id!r}, region={self.region!r}, service={self.service!r})"


def signed_headers(
    access: AwsAccess, method: str, url: str, headers: Mapping[str, str], body: bytes, at: datetime
) -> dict[str, str]:
    """All headers that a request needs, `Authorization` among them. `at` is the actual instant."""
    parts = urlsplit(url)
    stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    signed = {**{name.lower(): value for name, value in headers.items()}, "host": parts.netloc, "x-amz-date": stamp}
    names = sorted(signed)
    request = "\n".join(
        [
            method,
            quote(parts.path or "/", safe=f"/%{_UNRESERVED}"),
            _canonical_query(parts.query),
            *(f"{name}:{' '.join(signed[name].split())}" for name in names),
            "",
            ";".join(names),
            sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{access.region}/{access.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, stamp, scope, sha256(request.encode()).hexdigest()])
    signature = digest(_key(access, stamp[:8]), to_sign.encode(), "sha256").hex()
    authorization = f"{ALGORITHM} Credential={access.key_id}/{scope}, SignedHeaders={';'.join(names)}, "
    return {**signed, "authorization": f"{authorization}Signature={signature}"}


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    coded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in coded)


@lru_cache(maxsize=64)
def _key(access: AwsAccess, day: str) -> bytes:
    key = f"AWS4{access.secret}".encode()
    for part in (day, access.region, access.service, "aws4_request"):
        key = digest(key, part.encode(), "sha256")
    return key
