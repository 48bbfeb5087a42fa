"""Whose API a request is answered in: the model's own profile, or else what its caller expects.

the path                         one that only one API has, such as `/messages`, is answered in it
`anthropic-version`              names Anthropic's, where a path of several is asked
the route's or model's `profile`   "gpt-oss-120b" is spoken for as Cerebras speaks
[server] profile                   openai, cerebras
auto                             by the SDK, which its User-Agent names
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from slipstream.call import Dialect, Receipt
from slipstream.limits.standing import (
    Level,
    TellLevels,
    anthropic_headers,
    cerebras_headers,
    openai_headers,
)
from slipstream.routing.names import LOCAL
from slipstream.server.asgi import Header
from slipstream.server.render import CEREBRAS as CEREBRAS_ERRORS
from slipstream.server.render import MESSAGES as MESSAGES_ERRORS
from slipstream.server.render import OPENAI as OPENAI_ERRORS
from slipstream.server.render import RESPONSES as RESPONSES_ERRORS
from slipstream.server.render import ErrorShape
from slipstream.wire.cerebras.objects import answer_id_of
from slipstream.wire.messages.answers_out import PING
from slipstream.wire.openai_chat import Scan

Headers = Mapping[bytes, bytes]
"""Of a request, by name in lower case."""

_CEREBRAS_SDKS: Final = (b"Cerebras/", b"AsyncCerebras/")


class Profile(NamedTuple):
    """An API that we imitate, as far as every answer has to do with it.

    Args:
        tells_all_limits: Each answer tells all rate limits, also those that are not set.
        tell_limits: Tells how far limits are used.
        answer_headers: What an answer says beside our own headers, from the call's id and the
            account of its first frame.
        ping: A stream's sign of life.
    """

    name: str
    errors: ErrorShape
    tells_all_limits: bool
    tell_limits: TellLevels
    answer_headers: Callable[[str, Receipt | None], list[Header]]
    ping: bytes = b": ping\n\n"


def _no_headers(call_id: str, receipt: Receipt | None) -> list[Header]:
    return []


def _inference_id(call_id: str, receipt: Receipt | None) -> list[Header]:
    """Return the id that the body has; of a relayed answer, whose body has another, nothing."""
    is_ours = receipt is not None and receipt.target.provider == LOCAL
    return [(b"inference-id", answer_id_of(call_id).encode())] if is_ours else []


def _request_id(call_id: str, receipt: Receipt | None) -> list[Header]:
    """Return the id under the name that Anthropic's SDKs look for."""
    return [(b"request-id", call_id.encode())]


def _anthropic_limits(levels: Iterable[Level]) -> list[Header]:
    return anthropic_headers(levels, time.time())


OPENAI: Final = Profile("openai", OPENAI_ERRORS, False, openai_headers, _no_headers)
CEREBRAS: Final = Profile("cerebras", CEREBRAS_ERRORS, True, cerebras_headers, _inference_id)
ANTHROPIC: Final = Profile(
    "anthropic", MESSAGES_ERRORS, False, _anthropic_limits, _request_id, PING.data
)
RESPONSES: Final = Profile("responses", RESPONSES_ERRORS, False, openai_headers, _no_headers)
PROFILES: Final = {profile.name: profile for profile in (OPENAI, CEREBRAS)}
"""Those that a model may have."""

_OF_ONE_API: Final = {profile.name: profile for profile in (ANTHROPIC, RESPONSES)}
NOT_OFFERED: Final = (
    *("/v1/messages/batches", "/v1/complete", "/v1/skills", "/v1/organizations", "/v1/agents"),
    *("/v1/sessions", "/v1/environments", "/v1/deployment", "/v1/memory_stores", "/v1/vaults"),
)
"""Where the rest of Anthropic's API is: a client of it learns that there is none here."""

_ANTHROPIC_VERSION: Final = b"anthropic-version"
_PLACES: Final = (("/messages", ANTHROPIC), ("/responses", RESPONSES))


class Ingress(NamedTuple):
    """How a request is read in one profile.

    Args:
        read: Takes the body, as JSON, and the headers; raises BadRequest.
        passes: Names of headers that are part of the request.
    """

    dialect: Dialect
    read: Callable[[bytes, Headers], Scan]
    passes: tuple[bytes, ...] = ()


Door = Mapping[str, Ingress]
"""What a path offers, by profile; OpenAI's also stands for those that have none of their own.

A path of one API that is neither has only that one's."""


class _Named(msgspec.Struct):
    model: str = ""


_model_decoder = msgspec.json.Decoder(_Named)


class Profiles:
    """Which profile a caller expects, and which a model has.

    Args:
        default: `openai`, `cerebras`, or `auto`.
        of_models: Profiles by public name, of those that have one of their own.
    """

    __slots__ = ("_default", "_of_models")

    def __init__(self, default: str = "auto", of_models: Mapping[str, str] | None = None) -> None:
        self._default = PROFILES.get(default)
        self._of_models = {name: PROFILES[own] for name, own in (of_models or {}).items()}

    def at_door(self, door: Door, headers: Headers) -> Profile:
        """Return what is answered in at a path, before it is known which model is asked."""
        for name in door:
            if name in _OF_ONE_API:
                return _OF_ONE_API[name]
        return self._by_sdk(headers)

    def at_path(self, path: str, headers: Headers) -> Profile:
        """Return what is told in at a path that is no door, whether or not something answers."""
        place = path.removeprefix("/v1")
        for start, profile in _PLACES:
            if place == start or place.startswith(start + "/"):
                return profile
        return self.of_caller(headers)

    def of_caller(self, headers: Headers) -> Profile:
        """Return what a caller expects, before it is known what it asks for."""
        return ANTHROPIC if _ANTHROPIC_VERSION in headers else self._by_sdk(headers)

    def _by_sdk(self, headers: Headers) -> Profile:
        if self._default is not None:
            return self._default
        is_cerebras = headers.get(b"user-agent", b"").startswith(_CEREBRAS_SDKS)
        return CEREBRAS if is_cerebras else OPENAI

    def of_request(self, body: bytes, caller: Profile) -> Profile:
        """Return the profile of the model that a body names; the caller's where it has none."""
        if not self._of_models or caller.name not in PROFILES:
            return caller
        try:
            return self._of_models.get(_model_decoder.decode(body).model, caller)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return caller  # who reads it next says what is wrong
