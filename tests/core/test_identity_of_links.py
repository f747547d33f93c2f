"""Signed links are HMAC-SHA256, whatever way it is worked out."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hmac import digest

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.links import opened, token


@given(st.binary(max_size=200), st.text(), st.text())
def test_a_token_is_signed_by_the_standard_hmac(secret: bytes, purpose: str, id: str) -> None:
    mac = digest(secret, f"{purpose}\x1f{id}".encode("utf-8", "surrogatepass"), "sha256")
    made = token(secret, purpose, id)
    assert made == f"{id}.{urlsafe_b64encode(mac[:16])[:22].decode()}"
    assert opened(secret, purpose, made) == id
