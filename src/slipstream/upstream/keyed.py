"""A provider with several keys: one relay for each, and the leaf that takes the attempt's own.

They share the HTTP client, whose connections are kept by address: a key costs headers, no sockets.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from slipstream.call import Call, Frames, Serve
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.upstream.rooms import TellRoom

Keyed = Mapping[str, Relay]
"""The relays of one provider by the label of their key, the preferred one first."""


def labels_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Return what targets and reports call a provider's keys, the preferred one first."""
    if not endpoint.more_keys:
        return ("default",)
    return tuple(str(number) for number in range(1, len(endpoint.more_keys) + 2))


def relays_of(
    endpoint: Endpoint,
    client: HttpClient,
    *,
    now: Callable[[], datetime],
    tell_room: TellRoom | None = None,
) -> Keyed:
    """Return a relay for each key of a provider.

    Args:
        tell_room: Hears what their answers tell of rate limits.
    """
    keys = (endpoint.key, *endpoint.more_keys)
    return {
        label: Relay(
            msgspec.structs.replace(endpoint, key=key, more_keys=()),
            client,
            now=now,
            tell_room=tell_room,
        )
        for label, key in zip(labels_of(endpoint), keys, strict=True)
    }


def first_of(relays: Keyed) -> Relay:
    """Return the relay of the preferred key, which is asked for lists and counts."""
    return next(iter(relays.values()))


def leaf_of(relays: Keyed) -> Serve:
    """Return the leaf of one provider: with several keys, it goes by the attempt's credential."""
    first = first_of(relays)
    if len(relays) == 1:
        return first

    def serve(call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        return relays.get(attempt.target.credential, first)(call)

    return serve
