"""What the law wants below promotional and service emails: who sends them, and how to hear no more."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import escape

from orchestrator.templating.locales import is_chinese, is_traditional


class Footer(NamedTuple):
    """The brand's name and address, and the link, as printed below a message."""

    brand: str
    address: str
    url: str
    locale: str | None

    @property
    def word(self) -> str:
        """'Unsubscribe' in the reader's language: English, or Chinese in either script."""
        if is_traditional(self.locale):
            return "取消訂閱"
        return "退订" if is_chinese(self.locale) else "Unsubscribe"

    def html(self) -> str:
        """The footer as HTML; everything in it is escaped."""
        sender = " · ".join(escape(part) for part in (self.brand, self.address) if part)
        return (
            '<div style="margin:24px auto 0;padding:16px;max-width:600px;text-align:center;'
            'font-family:Arial,Helvetica,sans-serif;font-size:12px;line-height:18px;color:#666666;">'
            f'{sender}<br><a href="{escape(self.url)}" style="color:#666666;">{self.word}</a></div>'
        )

    def text(self) -> str:
        """The footer as plain text, below the usual signature line."""
        sender = " · ".join(part for part in (self.brand, self.address) if part)
        colon = "：" if is_chinese(self.locale) else ": "
        return f"-- \n{sender}\n{self.word}{colon}{self.url}\n"


def with_footer(html: str, text: str, footer: Footer) -> tuple[str, str]:
    """HTML and text with the footer below each that does not hold the link already."""
    url = str(escape(footer.url))
    if url not in html and footer.url not in html:
        end = html.lower().rfind("</body>")
        html = f"{html[:end]}{footer.html()}{html[end:]}" if end >= 0 else html + footer.html()
    if footer.url not in text:
        text = f"{text.rstrip()}\n\n{footer.text()}"
    return html, text
