"""The admin API of a gateway, for commands that ask the one that runs.

It is the one that is named, else the one that runs where the configuration says. The key comes from
SLIPSTREAM_API_KEY; for a gateway of this installation one is lent.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec

from slipstream.cli.accounts import database_url, lent_key
from slipstream.cli.health import read_health
from slipstream.config import Config
from slipstream.errors import GatewayError

KEY_VARIABLE: Final = "SLIPSTREAM_API_KEY"
URL_VARIABLE: Final = "SLIPSTREAM_BASE_URL"
_LOOK_LIMIT_S: Final = 0.5  # on this machine a gateway answers in milliseconds
_ANSWER_LIMIT_S: Final = 30.0
_KEY_SEEN_LIMIT_S: Final = 10.0  # a running gateway looks for new keys every second or so
_POLL_S: Final = 0.2
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_UNAUTHORIZED: Final = 401

_T = TypeVar("_T")


class AdminFailed(GatewayError):
    """The gateway refused or was not there; the text says what it said.

    Args:
        answer_status: Of its answer; None if there was none.
    """

    def __init__(self, message: str, answer_status: int | None = None) -> None:
        super().__init__(message)
        self.answer_status = answer_status


class Admin:
    """Asks one gateway.

    Args:
        url: `http://HOST:PORT`, with or without `/v1`.
        key: None where none is asked for.
        is_near: It is on this machine, so no proxy is asked.
    """

    def __init__(self, url: str, key: str | None, *, is_near: bool) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._key = key
        handlers = [urllib.request.ProxyHandler({})] if is_near else []
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, kind: type[_T]) -> _T:
        """Return what is answered at a path.

        Raises:
            AdminFailed: Something else was, or nothing.
        """
        return self._ask(path, None, kind)

    def post(self, path: str, body: bytes, kind: type[_T]) -> _T:
        """Return what is answered to a JSON body; raises as `get`."""
        return self._ask(path, body, kind)

    def _ask(self, path: str, body: bytes | None, kind: type[_T]) -> _T:
        headers = {"content-type": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=headers)  # noqa: S310 -- the caller's own address
        try:
            with self._opener.open(request, timeout=_ANSWER_LIMIT_S) as answer:
                return msgspec.json.decode(answer.read(_MAX_ANSWER_BYTES), type=kind)
        except urllib.error.HTTPError as exc:
            with exc:  # an answer that is open
                raise AdminFailed(_said(exc), exc.code) from exc
        except (OSError, ValueError) as exc:
            raise AdminFailed(f"{self.url}: {getattr(exc, 'reason', exc)}") from exc


@contextmanager
def running_admin(
    base_url: str | None, config: Config, environ: Mapping[str, str]
) -> Iterator[Admin | None]:
    """Give the gateway to ask; None where none is named and none runs.

    Raises:
        AdminFailed: The one that is found does not know the key that was lent.
    """
    key = environ.get(KEY_VARIABLE)
    if base_url:
        yield Admin(base_url, key, is_near=False)
        return
    url = url_of(config)
    if url is None or read_health(url, _LOOK_LIMIT_S) is None:
        yield None
    elif key or not config.server.require_key:
        yield Admin(url, key, is_near=True)
    else:
        with lent_key(database_url(config), "explain") as lent:
            admin = Admin(url, lent.token, is_near=True)
            _await_key(admin)
            yield admin


def url_of(config: Config) -> str | None:
    """Return where a gateway of this configuration listens; None where that is any free port."""
    host, port = config.server.host, config.server.port
    return f"http://{f'[{host}]' if ':' in host else host}:{port}" if port else None


def _await_key(admin: Admin) -> None:
    give_up_at_s = time.monotonic() + _KEY_SEEN_LIMIT_S
    while True:
        try:
            admin.get("/v1/models", dict[str, Any])
        except AdminFailed as exc:
            if exc.answer_status != _UNAUTHORIZED or time.monotonic() > give_up_at_s:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _said(exc: urllib.error.HTTPError) -> str:
    """Return the gateway's own words, where it sent some."""
    try:
        body = msgspec.json.decode(exc.read(_MAX_ANSWER_BYTES), type=dict[str, Any])
        text = str(body["error"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        text = str(exc.reason)
    return f"{text} (status {exc.code})"
