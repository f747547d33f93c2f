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
    """Several accounts at one address: a request is for all whose signature fits, as two numbers of one app have it."""

    def __init__(self, provider: str, hooks: Sequence[Hook]) -> None:
        self.provider = provider
        self._hooks = tuple(hooks)

    @property
    def answers_get(self) -> bool:
        """Whether one of them is asked by GET."""
        return any(getattr(hook, "answers_get", False) for hook in self._hooks)

    def read(self, posted: Posted) -> Heard:
        """See Hook. What several take is said once; where none takes it, a refusal that tells most stands."""
        heard: list[Heard] = []
        refused: list[HookRefused] = []
        for hook in self._hooks:
            try:
                heard.append(hook.read(posted))
            except HookRefused as error:
                refused.append(error)
        if not heard:  # one that could not be read is kept for people, a wrong signature is not
            raise next((error for error in refused if error.status not in (401, 403)), refused[-1])
        first = next((one for one in heard if one.answer), heard[0])
        told = tuple(dict.fromkeys(told for one in heard for told in one.told))
        return first._replace(told=told, visit=next((one.visit for one in heard if one.visit), None))
