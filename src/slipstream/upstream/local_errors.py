"""What a model's process said went wrong, as the error of our own tree."""

from typing import Final

from slipstream.engine.protocol import Failed
from slipstream.errors import (
    BadRequest,
    ContextTooLong,
    EngineError,
    GatewayError,
    LoadFailed,
    OutOfBlocks,
    Overloaded,
)

_ENGINE_ERRORS: Final[dict[str | None, type[EngineError]]] = {
    kind.code: kind for kind in (ContextTooLong, OutOfBlocks, LoadFailed, EngineError)
}


def error_of(said: Failed) -> GatewayError:
    """Return the error that the engine named; one that it does not name is the caller's."""
    if said.code == Overloaded.code:
        return Overloaded(said.message, retry_after_s=said.retry_after_s or 1.0)
    kind = _ENGINE_ERRORS.get(said.code)
    if kind is not None:
        error = kind(said.message)
        error.param = said.param
        return error
    return BadRequest(said.message, param=said.param, code=said.code or None)
