"""Templates of our own, for what the engine writes of itself: the message that asks the owner of an address."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from orchestrator.templating.loading import load_template_files
from orchestrator.templating.templates import TemplateLibrary

CONFIRM: Final = "double_opt_in"
"""The template of a double opt-in, where the project names no other. One of this name in the project comes first."""
_EMAIL: Final = """---
subject: "{subject}"
preheader: "{preheader}"
---
<!doctype html>
<html lang="{language}">
<body style="margin:0;padding:0;background-color:#f4f5f7;">
<div style="max-width:32rem;margin:0 auto;padding:32px 24px;\
font-family:Arial,'PingFang SC','Microsoft YaHei',sans-serif;font-size:16px;line-height:24px;color:#1c2430;">
<p>{ask}</p>
<p><a href="{{{{ confirm_url }}}}" style="display:inline-block;padding:12px 20px;border-radius:8px;\
background-color:#0b5fa5;color:#ffffff;text-decoration:none;font-weight:bold;">{button}</a></p>
<p style="color:#5a6675;font-size:14px;line-height:20px;">{otherwise}</p>
</div>
</body>
</html>
"""
_BRAND: Final = "{{ brand.name | default('us') }}"
_ENGLISH: Final = _EMAIL.format(
    language="en",
    subject="Please confirm that you want to hear from {{ brand.name | default('us') }}",
    preheader="One click, and it is done",
    ask=f"Somebody gave this address to hear from {_BRAND}. Was it you? Then please confirm it.",
    button="Yes, confirm",
    otherwise="If it was not you, do nothing: without a confirmation you will not hear from us.",
)
_CHINESE: Final = _EMAIL.format(
    language="zh",
    subject="请确认订阅 {{ brand.name | default('') }} 的消息",
    preheader="点击一下即可完成",
    ask="有人使用此邮箱地址订阅了 {{ brand.name | default('我们') }} 的消息。如果是您本人，请确认。",
    button="是的，确认订阅",
    otherwise="如果不是您本人的操作，请忽略此邮件：未经确认，我们不会向您发送消息。",
)
_FILES: Final = {
    f"email/{CONFIRM}.html": _ENGLISH,
    f"email/{CONFIRM}.zh.html": _CHINESE,
    f"sms/{CONFIRM}.txt": "Please confirm that you want our messages: {{ confirm_url }}\n",
    f"sms/{CONFIRM}.zh.txt": "请确认您愿意接收我们的消息：{{ confirm_url }}\n",
}


@lru_cache(maxsize=1)
def built_in() -> TemplateLibrary:
    """Our own templates."""
    return load_template_files(_FILES)


def with_built_in(library: TemplateLibrary) -> TemplateLibrary:
    """A project's templates, and ours by names that it does not use itself."""
    return replace(library, sets={**built_in().sets, **library.sets})
