"""`/f/{form}.js`: the script that puts a form into another site's page. It needs nothing else, and writes texts as
texts: `<script src="https://.../f/newsletter.js" data-lang="zh" async></script>` stands where the form shall be."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from orchestrator.core.forms import LONGEST, LONGEST_TEXT, Form, locales_of
from orchestrator.http.form_reading import TRAP
from orchestrator.http.form_words import FORM_WORDS
from orchestrator.http.service import Service

_HEADERS: Final = {
    "Cache-Control": "public, max-age=300",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


def script_of(service: Service, form: Form) -> Response:
    """The script of a form."""
    told: dict[str, Any] = {
        "action": f"{service.base_url}/f/{form.name}",
        "locales": locales_of(form),
        "title": dict(form.title), "intro": dict(form.intro), "button": dict(form.button), "trap": TRAP,
        "fields": [
            {"name": one.name, "type": one.type, "label": dict(one.label), "required": one.required,
             "options": {value: dict(words) for value, words in one.options.items()},
             "fixed": one.value is not None, "longest": LONGEST_TEXT if one.type == "long_text" else LONGEST}
            for one in form.fields
        ],
        "boxes": [
            {"topic": box.topic, "wording": dict(box.wording), "required": box.required} for box in form.consents
        ],
        "words": {
            language: {key: words[key] for key in ("button", "optional", "choose", "failed", "trap")}
            for language, words in FORM_WORDS.items()
        },
    }  # fmt: skip
    text = _code().replace("__FORM__", json.dumps(told, ensure_ascii=True).replace("<", "\\u003c"))
    return Response(text.encode(), 200, _HEADERS, "text/javascript; charset=utf-8")


@lru_cache(maxsize=1)
def _code() -> str:
    return (Path(__file__).parent / "pages" / "form.js").read_text(encoding="utf-8")
