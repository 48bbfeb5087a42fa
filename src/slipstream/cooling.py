"""Tells other gateways, through Valkey, what this one leaves alone, and hears what they do.

    Board.on_cooled ─▶ tell ─▶ a sorted set in Valkey: until when, by what ─▶ Board.cool of others

A cooldown is never shortened: the server keeps the later of two ends, by its own clock. Nothing of
this is on a request's path, and without the server each gateway finds out by itself.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from hashlib import blake2s
from typing import Any, Final

import msgspec

from slipstream.call import Secret
from slipstream.config import Config
from slipstream.errors import ConfigError
from slipstream.upstream.keyed import labels_of

_logger = logging.getLogger(__name__)

POLL_S: Final = 0.25  # the first cooldown of a failing target is a second
TIMEOUT_S: Final = 2.0  # of anything that the server is asked
FIRST_WAIT_S: Final = 0.5  # after it failed; doubled each time
MAX_WAIT_S: Final = 30.0
MAX_SCOPES: Final = 1024  # that wait to be told, and that the server keeps; the first to end go
_SET: Final = "slipstream:cooling"

# ARGV: what, milliseconds, how many may be kept. Returns when it ends by the server's clock.
_TELL: Final = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
redis.call('ZADD', KEYS[1], 'GT', now_ms + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return redis.call('ZSCORE', KEYS[1], ARGV[1])
"""

# Returns the server's time, then what there is with its end, in turn.
_HEAR: Final = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now_ms, '+inf', 'WITHSCORES',
    'LIMIT', 0, ARGV[1])
return {tostring(now_ms), found}
"""

Mark = Callable[[str], str | None]
"""From a scope to what it must have in common with the other gateway's; None: it is not shared."""


class Sharing:
    """One gateway's end; `run` does the work until it is cancelled.

    Args:
        url: Of the Valkey.
        mark: See `marks_of`.
        cool: Told (scope, seconds, now) of what another gateway leaves alone; `Board.cool`.
        max_s: No cooldown is believed to be longer.
        now_s: The event loop's clock.
        rng: For the jitter of waits.

    Raises:
        ConfigError: redis-py is not installed.
    """

    def __init__(
        self,
        url: Secret,
        mark: Mark,
        cool: Callable[[str, float, float], None],
        *,
        max_s: float,
        now_s: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._mark, self._cool = mark, cool
        self._max_s, self._now_s, self._rng = max_s, now_s, rng
        self._errors, self._client = _connect(url)
        self._waiting: dict[str, float] = {}  # until when, by member
        self._ends: dict[str, float] = {}  # by the server's clock, of what is known here
        self._is_new = asyncio.Event()
        self._is_lost = False

    def tell(self, scope: str, seconds: float, reason: str) -> None:
        """Note that something starts to be left alone here; never blocks and never fails.

        `reason` is for this gateway's own log and not told.
        """
        mark = self._mark(scope)
        if mark is None:
            return
        member, until_s = f"{mark} {scope}", self._now_s() + seconds
        self._waiting[member] = max(until_s, self._waiting.get(member, 0.0))
        if len(self._waiting) > MAX_SCOPES:
            del self._waiting[min(self._waiting, key=self._waiting.__getitem__)]
        self._is_new.set()

    async def run(self) -> None:
        """Tell and hear until cancelled, however often the server goes away."""
        wait_s = FIRST_WAIT_S
        try:
            while True:
                try:
                    await self._exchange()
                except self._errors as exc:
                    self._lose(exc)
                    await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1.0))
                    wait_s = min(wait_s * 2.0, MAX_WAIT_S)
                else:
                    wait_s = FIRST_WAIT_S
                    await self._rest()
        finally:
            await self._client.aclose()

    async def _exchange(self) -> None:
        """Tell what waits, then hear all there is."""
        self._is_new.clear()
        while self._waiting:
            member, until_s = next(iter(self._waiting.items()))
            left_ms = round((until_s - self._now_s()) * 1000)
            if left_ms > 0:
                end = await self._ask(_TELL, member, left_ms, MAX_SCOPES)
                self._ends[member] = float(end or 0)
            if self._waiting.get(member) == until_s:  # it may be longer by now
                del self._waiting[member]
        asked_s = self._now_s()
        now_ms, found = await self._ask(_HEAR, MAX_SCOPES)
        if self._is_lost:
            self._is_lost = False
            _logger.warning("valkey is back: what is left alone is shared again")
        await self._hear(float(now_ms), found, asked_s)

    async def _ask(self, script: str, *values: str | int) -> Any:
        # The client's own timeout would do, but that it loses cancellations on Python 3.11.
        async with asyncio.timeout(TIMEOUT_S):
            return await self._client.eval(script, 1, _SET, *values)

    async def _hear(self, now_ms: float, found: list[bytes], asked_s: float) -> None:
        """Pass on what is new; what was passed on once may be well again here by now.

        Args:
            asked_s: Before the answer was on its way, so that a slow one makes nothing longer.
        """
        ends = {
            member.decode(errors="replace"): float(end)
            for member, end in zip(found[::2], found[1::2], strict=True)
        }
        for member, end in ends.items():
            mark, _, scope = member.partition(" ")
            if end <= self._ends.get(member, 0.0) or self._mark(scope) != mark:
                continue
            seconds = min((end - now_ms) / 1000, self._max_s) - (self._now_s() - asked_s)
            if seconds > 0:
                self._cool(scope, seconds, self._now_s())
                await asyncio.sleep(0)  # after a long absence there may be much: requests go first
        self._ends = ends

    async def _rest(self) -> None:
        """Wait until there is something to tell, or time to hear."""
        try:
            async with asyncio.timeout(POLL_S):
                await self._is_new.wait()
        except TimeoutError:
            pass

    def _lose(self, exc: Exception) -> None:
        if not self._is_lost:  # once for each outage
            self._is_lost = True
            _logger.warning(
                "valkey: %s: %s; what is left alone is not shared until it is back",
                type(exc).__name__,
                exc,
            )


def marks_of(config: Config) -> Mark:
    """Return what tells whether a scope means the same here and at another gateway.

    It is a digest of where the scope's provider is and, of keys, which they are: gateways with keys
    of their own do not share what became of them. Our own models are this machine's.
    """
    places: dict[str, str] = {}
    keys: dict[str, tuple[str, tuple[str, ...]]] = {}  # and what they are called
    for name, endpoint in config.endpoints.items():
        secrets = [key.reveal() for key in (endpoint.key, *endpoint.more_keys) if key is not None]
        places[name] = _digest([endpoint.base_url])
        keys[name] = _digest([endpoint.base_url, *secrets]), labels_of(endpoint)

    def mark(scope: str) -> str | None:
        kind, _, rest = scope.partition(" ")
        rest, _, label = rest.partition("#")
        provider, _, model = rest.partition("/")
        if bool(model) is not (kind in ("target", "lane")) or provider not in places:
            return None
        if kind in ("target", "provider"):
            return None if label else places[provider]
        digest, labels = keys[provider]
        return digest if kind in ("key", "lane") and label in labels else None

    return mark


def _digest(texts: list[str]) -> str:
    return blake2s(msgspec.json.encode(texts), digest_size=8).hexdigest()


def _connect(url: Secret) -> tuple[tuple[type[Exception], ...], Any]:
    """Return what failures look like, and a client that has not connected yet."""
    try:
        import redis.asyncio  # heavy: 60 ms, 9 MB, and an optional extra
    except ImportError as exc:
        raise ConfigError(
            "routing.valkey needs the extra 'fleet': pip install 'slipstream[fleet]'"
        ) from exc
    text = url.reveal()
    address = f"redis{text.removeprefix('valkey')}" if text.startswith("valkey") else text
    try:
        client: Any = redis.asyncio.Redis.from_url(
            address, socket_connect_timeout=TIMEOUT_S, socket_timeout=None
        )
        client.connection_pool.make_connection()  # finds fault with the URL's options, if it has
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"routing.valkey: no URL of a Valkey: {type(exc).__name__}") from exc
    return (redis.exceptions.RedisError, OSError), client
