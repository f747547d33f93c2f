"""Coupon codes that are unique by construction, and the checks of a redemption."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0 and O, 1, I and L: 31 characters, a prime, so that the check character finds every swap."""
_BASE = len(ALPHABET)
_ROUNDS = 4


def generated_code(offer: Offer, salt: str, serial: int) -> str:
    """The code with this serial number: prefix, then `length` characters, the last of which is a check character.

    A keyed permutation of the serial numbers (a Feistel network with cycle walking) gives codes that never repeat and
    cannot be guessed from their neighbours; when all codes of this length are used, longer ones follow.
    """
    body, first = max(offer.length - 1, 1), 0
    while serial - first >= _BASE**body:
        first += _BASE**body
        body += 1
    number = _permuted(serial - first, _BASE**body, f"{salt}\x1f{offer.id}\x1f{body}".encode())
    digits: list[int] = []
    for _ in range(body):
        number, digit = divmod(number, _BASE)
        digits.append(digit)
    digits.reverse()
    return offer.prefix + "".join(ALPHABET[d] for d in (*digits, _check(digits)))


def is_well_formed(code: str, prefix: str) -> bool:
    """Whether the check character fits: a mistyped or swapped character is found without asking the database."""
    body = code.removeprefix(prefix).upper()
    if len(body) < 2 or any(character not in ALPHABET for character in body):
        return False
    digits = [ALPHABET.index(character) for character in body]
    return digits[-1] == _check(digits[:-1])


def _check(digits: list[int]) -> int:
    return sum((place + 2) * digit for place, digit in enumerate(digits)) % _BASE


def _permuted(number: int, size: int, key: bytes) -> int:
    half = max((size - 1).bit_length() + 1, 2) // 2
    mask = (1 << half) - 1
    while True:
        left, right = number >> half, number & mask
        for round_number in range(_ROUNDS):
            digest = blake2b(right.to_bytes(8, "big") + bytes([round_number]), key=key[:64], digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "big") & mask)
        number = left << half | right
        if number < size:
            return number


def refusal_of(offer: Offer, coupon: Coupon, total: float | None, at: datetime) -> str | None:
    """Why a redemption is refused: released, redeemed, expired or minimum_spend; None: it is good."""
    if coupon.status != "issued":
        return coupon.status
    if coupon.expires_at is not None and at >= coupon.expires_at:
        return "expired"
    if offer.minimum_spend is not None and (total is None or total < offer.minimum_spend):
        return "minimum_spend"
    return None
