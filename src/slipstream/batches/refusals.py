"""What files and batches are refused for, beside an ill-formed request."""

from slipstream.errors import GatewayError, RequestError


class NotFound(RequestError):
    """No file or batch of this caller has the id; another's is as good as none."""

    status = 404
    code = "not_found"

    def __init__(self, message: str, *, param: str = "id") -> None:
        super().__init__(message)
        self.param = param


class Conflict(RequestError):
    """The file or batch is in a state that forbids what was asked."""

    status = 409
    code = "conflict"


class TooManyBatches(RequestError):
    """The caller has as many batches in progress as it may."""

    status = 429
    code = "too_many_batches"
    kind = "requests"


class StorageFull(RequestError):
    """The caller's files take as much room as they may."""

    code = "storage_limit_exceeded"


class StorageUnavailable(GatewayError):
    """The disk takes nothing, or does not give back what it holds."""

    status = 503
    code = "storage_unavailable"
    retry_after_s: float | None = 30.0  # somebody has to make room first
