"""Pages as bytes: our templates filled in, with the headers that keep a page from being framed, cached or scripted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from orchestrator.http.languages import Language, language_of
from orchestrator.http.service import Service
from orchestrator.http.words import CHANNELS, CHANNELS_WITHIN, words_of

_FOLDER: Final = Path(__file__).parent / "pages"
_CSS: Final = (_FOLDER / "pages.css").read_text(encoding="utf-8")
_CSS_HASH: Final = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; img-src 'self' data:; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""No scripts at all; our one style sheet; nothing is kept by browsers and proxies, as addresses hold signatures."""


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def asked_language(service: Service, request: Request, locale: str | None = None) -> Language:
    """What the reader of this request gets: what its address asks for (`?lang=zh`), else by `locale`, the customer's,
    where one is known, else by the browser."""
    asked = request.query_params.get("lang")
    if asked == "en" or asked == "zh":
        return "zh" if asked == "zh" else "en"
    return language_of(locale, request.headers.get("accept-language"), _project_locale(service))


def _project_locale(service: Service) -> str | None:
    try:
        return service.store.index.project.locale
    except Exception:  # the page that says what is wrong must not fail for the same reason
        return None


def page(name: str, language: Language, service: Service, status: int = 200, root: str = "", **values: Any) -> Response:
    """The page `pages/<name>.html`. `root` is the path below which the installation is mounted."""
    html = _templates().get_template(f"{name}.html")
    words = words_of(language)
    rendered = html.render(
        **values, t=words, say=_sayer(words), channels=CHANNELS[language],
        channels_within=CHANNELS_WITHIN[language], language=language, css=Markup(_CSS),
        brand=_brand(service), root=root,
    )  # fmt: skip
    return HTMLResponse(rendered.encode("utf-8", "replace"), status, headers=dict(HEADERS))


def _brand(service: Service) -> str:
    try:
        return service.store.index.project.brand.get("name") or "Orchestrator"
    except Exception:  # as above
        return "Orchestrator"


def _sayer(words: Mapping[str, str]) -> Any:
    def say(key: str, **values: object) -> str:
        return words[key].format(**values)

    return say


def root_of(request: Request) -> str:
    """The path below which this application is mounted, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")
