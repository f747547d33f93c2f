"""Signatures of Tencent Cloud's APIs (TC3-HMAC-SHA256), as its public manual describes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from orchestrator.channels.providers.adapter import Call

ALGORITHM: Final = "TC3-HMAC-SHA256"
_JSON: Final = "application/json; charset=utf-8"


class TencentAccess(NamedTuple):
    """An API key of a Tencent Cloud account (or of a CAM user)."""

    secret_id: str
    secret_key: str

    def __repr__(self) -> str:
        return f"TencentAccess({self.secret_id!r})"


def signed_call(
    access: TencentAccess,
    url: str,
    service: str,
    action: str,
    version: str,
    region: str | None,
    body: bytes,
    *,
    at: datetime | None = None,
) -> Call:
    """A signed POST of JSON. `url`: the endpoint, such as `https://sms.tencentcloudapi.com`; `service` its first label,
    whatever stands in for the endpoint. `at` is the actual instant (None: now): it may be five minutes off."""
    parts = urlsplit(url)
    made_at = (at or datetime.now(UTC)).astimezone(UTC)
    signed = {"content-type": _JSON, "host": parts.netloc, "x-tc-action": action.lower()}
    headers = {
        "content-type": _JSON,
        "host": parts.netloc,
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-timestamp": str(int(made_at.timestamp())),
        "authorization": authorization(access, service, signed, body, made_at),
    }
    if region is not None:
        headers["x-tc-region"] = region
    return Call("POST", f"{parts.scheme}://{parts.netloc}/", headers, body)


def authorization(
    access: TencentAccess, service: str, headers: Mapping[str, str], body: bytes, made_at: datetime
) -> str:
    """The header of this name for a POST to `/` without a query. `headers` are those that are signed, with names in
    lower case; `made_at` is the instant of `X-TC-Timestamp`, in UTC."""
    names = sorted(headers)
    written = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    request = "\n".join(["POST", "/", "", written, ";".join(names), sha256(body).hexdigest()])
    day = f"{made_at:%Y-%m-%d}"
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"{ALGORITHM}\n{int(made_at.timestamp())}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = f"TC3{access.secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = digest(key, part.encode(), "sha256")
    signature = digest(key, to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={access.secret_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
