"""Signatures of Alibaba Cloud's APIs (ACS3-HMAC-SHA256), as its public manual describes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from orchestrator.channels.providers.adapter import Call

ALGORITHM: Final = "ACS3-HMAC-SHA256"
_FORM: Final = "application/x-www-form-urlencoded"


class AliyunAccess(NamedTuple):
    """An access key of an Alibaba Cloud account (or of a RAM user)."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"AliyunAccess({self.key_id!r})"


def signed_call(
    access: AliyunAccess,
    url: str,
    action: str,
    version: str,
    params: Mapping[str, str],
    *,
    at: datetime | None = None,
    nonce: str | None = None,
) -> Call:
    """A signed call of an RPC API, its parameters as a form in the body.

    `url`: the endpoint, such as `https://dm.aliyuncs.com`. `at` is the actual instant (None: now), `nonce` a text that
    was never used before (None: a random one); a repeated call is signed anew.
    """
    parts = urlsplit(url)
    body = form_of(params).encode("ascii")
    headers = {
        "host": parts.netloc,
        "content-type": _FORM,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": f"{(at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": nonce or uuid.uuid4().hex,
        "x-acs-content-sha256": sha256(body).hexdigest(),
    }
    path = parts.path or "/"
    signed = {**headers, "authorization": authorization(access, "POST", path, "", headers)}
    return Call("POST", f"{parts.scheme}://{parts.netloc}{path}", signed, body)


def authorization(access: AliyunAccess, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The header of this name. `query` is canonical (see `form_of`); `headers` have names in lower case, and
    `x-acs-content-sha256` among them."""
    names = sorted(name for name in headers if name.startswith("x-acs-") or name in ("host", "content-type"))
    request = "\n".join(
        [
            method,
            quote(path, safe="/%-._~"),
            query,
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            headers["x-acs-content-sha256"],
        ]
    )
    to_sign = f"{ALGORITHM}\n{sha256(request.encode()).hexdigest()}"
    signature = digest(access.secret.encode(), to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={access.key_id},SignedHeaders={';'.join(names)},Signature={signature}"


def form_of(params: Mapping[str, str]) -> str:
    """Parameters sorted and percent-encoded (RFC 3986): a canonical query, and a form."""
    coded: Callable[[str], str] = lambda text: quote(text, safe="-._~", errors="replace")  # noqa: E731
    return "&".join(f"{coded(name)}={coded(params[name])}" for name in sorted(params))
