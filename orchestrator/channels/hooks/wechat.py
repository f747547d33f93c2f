"""What WeChat and WeCom say (message callbacks in their safe mode): what people write, and that they left.

developers.weixin.qq.com "消息加解密说明", developer.work.weixin.qq.com "加解密方案说明". The plain mode is not
taken: its signature covers a time and a number, and not a word of what is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha1
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told
from orchestrator.channels.hooks.reading import LARGEST, check_fresh, clean, decoded, event_id, instant_in, same
from orchestrator.errors import UsageError

FRESH_FOR: Final = timedelta(minutes=10)
BLOCK: Final = 32
"""Bytes to whose multiple a message is filled up."""
_LEFT: Final = frozenset({"unsubscribe"})


class WechatHook:
    """One account. `secret` is `TOKEN,AESKEY` as its settings page shows them; `account` the app id or corp id."""

    answers_get = True

    def __init__(self, provider: str, secret: str, account: str) -> None:
        self.provider = provider
        token, _, aes_key = secret.partition(",")
        key = decoded(f"{aes_key.strip()}=") if len(aes_key.strip()) == 43 else b""
        if not token.strip() or len(key) != BLOCK:
            raise UsageError(
                f"?hook= of {provider}: is TOKEN,AESKEY, the token and the 43 characters of EncodingAESKey of the "
                "account's message callbacks (in the safe mode)",
                "bad_setting",
            )
        self._token = token.strip()
        self._key = key
        self._account = account

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        query = _query(posted)
        if posted.method == "GET":
            return self._confirmed(posted, query)
        sealed = _xml(posted.body).get("Encrypt", "")
        self._check(posted, query, "msg_signature", sealed)
        told = self._told(_xml(self._opened(sealed)))
        return Heard(() if told is None else (told,), b"success")

    def _confirmed(self, posted: Posted, query: Mapping[str, str]) -> Heard:
        """The first question to a new address. WeCom asks with a sealed word, WeChat with an open one."""
        word = query.get("echostr", "")
        if "msg_signature" in query:
            self._check(posted, query, "msg_signature", word)
            return Heard(answer=self._opened(word))
        self._check(posted, query, "signature", None)
        if not (word.isascii() and word.isprintable() and 0 < len(word) <= 500):
            raise HookRefused(400, "it asks nothing that can be answered")
        return Heard(answer=word.encode("ascii"))

    def _check(self, posted: Posted, query: Mapping[str, str], name: str, sealed: str | None) -> None:
        shown = query.get(name, "")
        if not shown:
            raise HookRefused(401, f"it has no signature ({name}); only the safe mode is taken")
        parts = [self._token, query.get("timestamp", ""), query.get("nonce", ""), *([] if sealed is None else [sealed])]
        signed = sha1("".join(sorted(parts)).encode("utf-8", "surrogatepass")).hexdigest()
        if not same(shown, signed):
            raise HookRefused(403, "its signature is wrong")
        check_fresh(posted, query.get("timestamp", ""), FRESH_FOR)

    def _opened(self, sealed: str) -> bytes:
        """16 random bytes, the length, the message, and for whom it is. Raises HookRefused."""
        data = decoded(sealed)
        if not data or len(data) % 16:
            raise HookRefused(400, "it cannot be opened with this key")
        opener = Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16])).decryptor()
        plain = opener.update(data) + opener.finalize()
        filled = plain[-1]
        length = int.from_bytes(plain[16:20], "big")
        if not 1 <= filled <= BLOCK or 20 + length > len(plain) - filled:
            raise HookRefused(400, "it cannot be opened with this key")
        if plain[20 + length : len(plain) - filled] != self._account.encode():
            raise HookRefused(403, "it is for another account")
        return plain[20 : 20 + length]

    def _told(self, said: Mapping[str, str]) -> Told | None:
        address, kind = clean(said.get("FromUserName", "")), said.get("MsgType", "")
        if address is None or len(address) > 128:
            return None
        at = instant_in(said.get("CreateTime"))
        if kind == "event":
            if said.get("Event", "").lower() not in _LEFT:
                return None
            id = event_id("left", address, said.get("CreateTime"))
            return Told("unsubscribe", "wechat", id, None, address, at)
        if not kind:
            return None
        id = event_id("message", said.get("MsgId"), address, said.get("CreateTime"))
        text = clean(said.get("Content", "")) or clean(f"[{kind[:40]}]")
        return Told("reply", "wechat", id, None, address, at, text)


_coded = re.compile(r"\s*<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE).match
"""Says that it is to be read as something else than UTF-8."""


def _query(posted: Posted) -> dict[str, str]:
    try:
        found = parse_qs(urlsplit(posted.url).query, max_num_fields=50)
    except ValueError:
        raise HookRefused(400, "its query cannot be read") from None
    return {name: values[0] for name, values in found.items()}


def _xml(body: bytes) -> dict[str, str]:
    """The texts of the first level by their names. Raises HookRefused; a document that declares entities is refused."""
    if len(body) > LARGEST // 4:
        raise HookRefused(413, "the body is too large for a message")
    try:
        text = body.decode("utf-8")  # the platform's only form; in others the check below would see nothing
    except UnicodeDecodeError:
        raise HookRefused(400, "the body is no UTF-8") from None
    if "\x00" in text or "<!" in text.replace("<![CDATA[", "") or _coded(text[:200]):
        raise HookRefused(400, "the body declares something, which a message does not")
    try:
        root: Any = ElementTree.fromstring(body)  # nothing is declared in it, so that nothing grows
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        raise HookRefused(400, "the body is no XML") from None
    return {str(child.tag): child.text or "" for child in root}
