"""Names of locales and the order in which translations are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templating.loading import load_template_files
from orchestrator.templating.locales import fallbacks, normal_locale


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("zh_hant_tw", "zh-Hant-TW"),
        ("EN-gb", "en-GB"),
        ("zh_CN.UTF-8", "zh-CN"),
        ("pt-br", "pt-BR"),
        ("es-419", "es-419"),
        ("de-DE-1996", "de-DE"),
        ("english", None),
        ("", None),
        ("z", None),
        ("../en", None),
        ("en" * 100, None),
    ],
)
def test_normal_spelling(name: str, normal: str | None) -> None:
    assert normal_locale(name) == normal


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-TW", "zh-Hant", "zh"]),
        ("zh_TW", ["zh-TW", "zh-Hant-TW", "zh-Hant", "zh"]),
        ("zh-HK", ["zh-HK", "zh-Hant-HK", "zh-Hant", "zh-Hant-TW", "zh-TW", "zh"]),
        ("zh-CN", ["zh-CN", "zh-Hans-CN", "zh-Hans", "zh"]),
        ("zh", ["zh", "zh-Hans", "zh-Hans-CN", "zh-CN"]),
        ("en-GB", ["en-GB", "en"]),
        ("sr-Latn-RS", ["sr-Latn-RS", "sr-Latn", "sr-RS", "sr"]),
        ("nonsense!", []),
    ],
)
def test_fallbacks(name: str, chain: list[str]) -> None:
    assert list(fallbacks(name)) == chain


@given(st.text(max_size=20))
def test_any_text_has_a_chain_of_normal_locales(name: str) -> None:
    assert all(normal_locale(locale) == locale for locale in fallbacks(name))


def test_pick_takes_the_nearest_translation_and_the_default_last() -> None:
    library = load_template_files(
        {f"sms/a.{locale}txt": "x" for locale in ("", "zh.", "zh-Hant.", "en_GB.", "pt-BR.")},
    )
    found = library.get("sms", "a")
    assert found is not None
    assert found.locales == ("en-GB", "pt-BR", "zh", "zh-Hant")
    picked = {
        locale: found.pick(locale).locale
        for locale in ("zh-Hant-TW", "zh-TW", "zh-CN", "zh", "en-GB", "en-US", "pt", "fr", "", None)
    }
    assert picked == {
        "zh-Hant-TW": "zh-Hant",
        "zh-TW": "zh-Hant",
        "zh-CN": "zh",
        "zh": "zh",
        "en-GB": "en-GB",
        "en-US": None,
        "pt": None,
        "fr": None,
        "": None,
        None: None,
    }


def test_a_translation_takes_the_translated_partial_and_the_defaults_topic() -> None:
    library = load_template_files(
        {
            "email/a.html": "---\nsubject: x\ntopic: care\n---\n{% include '_foot.html' %}",
            "email/a.zh.html": "---\nsubject: y\n---\n{% include '_foot.html' %}",
            "email/_foot.html": "{{ customer.first_name }}",
            "email/_foot.zh.html": "{{ customer.last_name }}",
        }
    )
    assert library.problems == ()
    english, chinese = library.pick("email", "a", "en"), library.pick("email", "a", "zh-CN")
    assert english is not None
    assert chinese is not None
    assert [key for key, _ in english.uses] == ["customer.first_name"]
    assert [key for key, _ in chinese.uses] == ["customer.last_name"]
    assert (english.topic, chinese.topic) == ("care", "care")
