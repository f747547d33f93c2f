"""The readers of callbacks that the channels' URLs ask for: whoever sends for us tells what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module

from orchestrator.channels.configured import FAMILIES, own_parts
from orchestrator.channels.hooks.protocol import Heard, Hook, HookRefused, Posted
from orchestrator.channels.options import ChannelOptions
from orchestrator.core.provider_urls import provider_urls


def hooks_of(urls: Iterable[str]) -> dict[str, Hook]:
    """The readers by provider, as in /hooks/{provider}. A value may hold several URLs with white space between them;
    two accounts of one provider share an address. Raises UsageError for a URL that cannot be read."""
    found: dict[str, list[Hook]] = {}
    for url in dict.fromkeys(part for value in urls for part in provider_urls(value)):
        hook = _hook_of(url)
        if hook is not None:
            found.setdefault(hook.provider, []).append(hook)
    return {provider: hooks[0] if len(hooks) == 1 else AnyOf(provider, hooks) for provider, hooks in found.items()}


def _hook_of(url: str) -> Hook | None:
    family = FAMILIES.get(url.partition(":")[0].lower())
    if family is None:
        return None
    parts, _ = own_parts(url)
    module = import_module(f"orchestrator.channels.providers.{family[1]}")
    makers: Mapping[str, object] = module.HOOKS
    make = makers.get(parts.scheme)
    if make is None or not callable(make):
        return None
    hook: Hook = make(parts, ChannelOptions(parts.scheme, parts.query, module.OPTIONS[parts.scheme]))
    return hook


class AnyOf:
    """Several accounts at one address: a request is whoever's signature fits."""

    def __init__(self, provider: str, hooks: Sequence[Hook]) -> None:
        self.provider = provider
        self._hooks = tuple(hooks)

    def read(self, posted: Posted) -> Heard:
        """See Hook. Where none takes it, the last one's refusal stands."""
        for hook in self._hooks[:-1]:
            try:
                return hook.read(posted)
            except HookRefused:
                continue
        return self._hooks[-1].read(posted)
