"""One message to a seed address, outside of any journey: it touches no cap, no coupon, no figure and no ledger."""

from __future__ import annotations

from orchestrator.channels.protocol import Answer, Channel, Outgoing


def send_test(channel: Channel, outgoing: Outgoing) -> Answer:
    """Hand one message over and say what came of it. Nothing is tried again, and nothing is raised.

    The caller gives every test an id of its own (a provider, or a folder, would take the second for the first again).
    The one-click unsubscribe header stays out: the person at the seed address would act for a customer.
    """
    try:
        [answer] = channel.send([outgoing._replace(unsubscribe_url=None)])
    except Exception as error:  # an adapter's own bug is this person's to read, not a traceback
        return Answer("unknown", f"{type(error).__name__}: {error}")
    return answer
