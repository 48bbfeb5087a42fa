"""From a method and a path to what answers it: one look-up, and a few tries for paths with ids.

A pattern's `{id}` stands for one segment, `{id*}` for all that follows, slashes included. What they
stood for is in `scope["path_params"]`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

from slipstream.server.asgi import Receive, Scope, Send

Endpoint = Callable[[str, Scope, Receive, Send], Awaitable[None]]
"""Answers one request, whose id is the first argument."""

Endpoints = Mapping[tuple[str, str], Endpoint]
"""By method and pattern."""

_HOLE = re.compile(r"\\{(\w+)(\\\*)?\\}")


class Paths:
    """Every path that is answered.

    Args:
        endpoints: Where several patterns fit a path, the first one answers.
    """

    __slots__ = ("_exact", "_patterns", "patterns")

    def __init__(self, endpoints: Endpoints) -> None:
        self.patterns = tuple(endpoints)
        self._exact = {key: found for key, found in endpoints.items() if "{" not in key[1]}
        self._patterns = [
            (method, _compiled(pattern), found)
            for (method, pattern), found in endpoints.items()
            if "{" in pattern
        ]

    def find(self, scope: Scope) -> Endpoint | None:
        """Return what answers a request, its path's ids noted in its scope."""
        method, path = scope["method"], scope["path"]
        endpoint = self._exact.get((method, path))
        if endpoint is not None:
            return endpoint
        for wanted, pattern, found in self._patterns:
            if wanted == method and (match := pattern.fullmatch(path)):
                scope["path_params"] = match.groupdict()
                return found
        return None

    def methods(self, path: str) -> list[str]:
        """Return the methods that a path takes, in the alphabet's order."""
        exact = {method for method, known in self._exact if known == path}
        return sorted(exact | {m for m, pattern, _ in self._patterns if pattern.fullmatch(path)})


def _compiled(pattern: str) -> re.Pattern[str]:
    def hole(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"

    return re.compile(_HOLE.sub(hole, re.escape(pattern)), re.DOTALL)
