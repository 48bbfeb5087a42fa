"""What the OpenAPI document says of one method of one path: a row of operations.py."""

from typing import Final, NamedTuple

from msgspec import Struct

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
FORM: Final = "multipart/form-data"
# Bodies that ask a model for something may be packed; answers never are.
PACKED: Final = (
    JSON,
    "application/msgpack",
    "application/vnd.msgpack",
    "application/x-msgpack",
)

ASKING: Final = (400, 404, 408, 413, 429, 500, 502, 503, 504)
"""How what asks a model for something can fail."""

PACKING: Final = ("content-encoding",)
"""The parameter that says how a body is packed."""

Records = tuple[type[Struct], ...]


class Operation(NamedTuple):
    """One method of one path.

    Args:
        takes: Any one of these is the body.
        takes_as: Media types of the body.
        gives: Any one of these is the answer, as JSON; none is an object of any kind.
        gives_events: Any one of these is an event of the answer, if a stream was asked for.
        gives_text: Media type of an answer that is no JSON.
        parameters: Names of parameters in fields.py, beside those of the path.
        errors: Statuses beside those that every operation has.
        is_open: No key is asked for.
    """

    method: str
    path: str
    operation_id: str
    tag: str
    summary: str
    takes: Records = ()
    takes_as: tuple[str, ...] = (JSON,)
    gives: Records = ()
    gives_events: Records = ()
    gives_text: str | None = None
    parameters: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    is_open: bool = False
