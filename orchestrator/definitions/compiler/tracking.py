"""`tracking:` of project.yaml."""

from __future__ import annotations

from urllib.parse import urlsplit

from orchestrator.core.project import Tracking, Utm
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.project import ProjectModel


def compile_tracking(model: ProjectModel, fields: Fields) -> Tracking:
    """What is tracked, with the domains that are the brand's own. Domains that are none are reported."""
    given = model.tracking
    if given.utm is None:
        return Tracking(given.opens, given.clicks)
    domains = [_domain(model.brand.url or "")]
    for number, written in enumerate(given.utm.domains):
        domain = _domain(written)
        domains.append(domain)
        if "." not in domain:
            path = ("tracking", "utm", "domains", number)
            fields.complain(path, "bad_value", f"'{written}' is no domain", "write it as in shop.example.com")
    known = tuple(dict.fromkeys(domain for domain in domains if "." in domain))
    if not known:
        message = "no link gets these parameters: nobody knows which domains are the brand's"
        hint = "add brand: url, or domains: [example.com]"
        fields.complain(("tracking", "utm"), "bad_value", message, hint, key=True)
    utm = given.utm
    return Tracking(given.opens, given.clicks, Utm(utm.source, utm.medium, utm.campaign, utm.content, known))


def _domain(written: str) -> str:
    """The domain of an address or a name, in small letters and without `www.`; empty where there is none."""
    try:
        host = urlsplit(written if "://" in written else f"//{written}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")
