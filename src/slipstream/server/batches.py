"""The Batches API: making, listing and cancelling batches. A key sees its own and no others."""

from typing import Final

import msgspec

from slipstream.batches.records import (
    CHAT_ENDPOINT,
    DEFAULT_FILE_LIFE_S,
    WINDOWS_S,
    BatchRecord,
    Metadata,
    Status,
    new_batch,
)
from slipstream.batches.run import Runner
from slipstream.batches.store import Store
from slipstream.errors import BadRequest
from slipstream.server.asgi import Receive, Scope, Send, headers_of
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.body import ClientGone, read_body
from slipstream.server.files import send_json
from slipstream.server.paging import PAGE_PARAMS, page_of, read_page, read_query
from slipstream.server.paths import Endpoint
from slipstream.server.upload_form import life_of
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.refusals import not_among

_LIFE_PARAM: Final = "output_expires_after.{}"
_MAX_BODY_BYTES: Final = 64 * 1024
_MAX_METADATA: Final = 16
_MAX_NAME_CHARS: Final = 64
_MAX_VALUE_CHARS: Final = 512
_STAMPS: Final = (  # in the order in which they are shown, `expires_at` apart
    Status.FINALIZING,
    Status.COMPLETED,
    Status.FAILED,
    Status.EXPIRED,
    Status.CANCELLING,
    Status.CANCELLED,
)


class _Life(msgspec.Struct):
    anchor: str
    seconds: int


class _Asked(msgspec.Struct):
    """The body of a request for a new batch."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: Metadata | None = None
    output_expires_after: _Life | None = None


class BatchesApi:
    """Answers at `/v1/batches`.

    Args:
        find_key: None where no key is asked for.
    """

    def __init__(self, store: Store, runner: Runner, find_key: FindKey | None) -> None:
        self._store = store
        self._runner = runner
        self._find_key = find_key

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is answered, by method and pattern.

        Cerebras's guide cancels with DELETE, its reference and OpenAI with POST: both are taken.
        """
        return {
            ("POST", "/v1/batches"): self._create,
            ("GET", "/v1/batches"): self._list,
            ("GET", "/v1/batches/{id}"): self._retrieve,
            ("POST", "/v1/batches/{id}/cancel"): self._cancel,
            ("DELETE", "/v1/batches/{id}"): self._cancel,
        }

    async def _create(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        try:
            body = await read_body(headers_of(scope), receive, _MAX_BODY_BYTES)
        except ClientGone:
            return
        asked = _read(body)
        source = self._store.files.get(key_id, asked.input_file_id, param="input_file_id")
        if source.purpose != "batch":
            raise BadRequest(
                f"The file '{source.id}' has the purpose '{source.purpose}', not 'batch'.",
                param="input_file_id",
                code="invalid_value",
            )
        record = await self._store.create(
            lambda now_ns: new_batch(
                key_id=key_id,
                input_file_id=asked.input_file_id,
                endpoint=asked.endpoint,
                completion_window=asked.completion_window,
                metadata=asked.metadata,
                output_life_s=_output_life_s(asked.output_expires_after),
                created_at_ns=now_ns,
            )
        )
        self._runner.begin(record.id)
        await send_json(send, call_id, shown_batch(record))

    async def _list(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        wanted = read_page(read_query(scope, PAGE_PARAMS))
        await send_json(send, call_id, page_of(self._store.of_key(key_id), wanted, shown_batch))

    async def _retrieve(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        record = self._store.get(key_id, scope["path_params"]["id"])
        await send_json(send, call_id, shown_batch(record))

    async def _cancel(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        record = await self._runner.cancel(key_id, scope["path_params"]["id"])
        await send_json(send, call_id, shown_batch(record))


def shown_batch(record: BatchRecord) -> dict[str, object]:
    """Return a batch as its owner sees it."""
    errors = None
    if record.problems:
        errors = {"object": "list", "data": [msgspec.to_builtins(p) for p in record.problems]}
    return {
        "id": record.id,
        "object": "batch",
        "endpoint": record.endpoint,
        "errors": errors,
        "input_file_id": record.input_file_id,
        "completion_window": record.completion_window,
        "status": record.status,
        "output_file_id": record.output_file_id if record.has_output else None,
        "error_file_id": record.error_file_id if record.has_errors else None,
        "created_at": record.created_at_ns // 10**9,
        "in_progress_at": record.in_progress_at_s,
        "expires_at": record.expires_at_s,
        **{f"{status}_at": getattr(record, f"{status}_at_s") for status in _STAMPS},
        "request_counts": msgspec.to_builtins(record.counts),
        "metadata": record.metadata,
    }


def _read(body: bytes) -> _Asked:
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        for name in fields:
            _check_known(name)
        asked = msgspec.json.decode(body, type=_Asked)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if asked.endpoint != CHAT_ENDPOINT:
        raise not_among("endpoint", asked.endpoint, (CHAT_ENDPOINT,))
    if asked.completion_window not in WINDOWS_S:
        raise not_among("completion_window", asked.completion_window, tuple(WINDOWS_S))
    _check_metadata(asked.metadata or {})
    _output_life_s(asked.output_expires_after)
    return asked


def _output_life_s(life: _Life | None) -> int:
    if life is None:
        return DEFAULT_FILE_LIFE_S
    return life_of(life.anchor, life.seconds, str(life.seconds), param=_LIFE_PARAM)


def _check_known(name: str) -> None:
    if name not in _Asked.__struct_fields__:
        known = ", ".join(_Asked.__struct_fields__)
        raise BadRequest(
            f"Unknown parameter: '{name[:100]}'; accepted: {known}.",
            param=name[:100],
            code="unknown_parameter",
        )


def _check_metadata(metadata: Metadata) -> None:
    if len(metadata) > _MAX_METADATA:
        raise BadRequest(
            f"metadata has {len(metadata)} entries; at most {_MAX_METADATA} are accepted.",
            param="metadata",
            code="invalid_value",
        )
    for name, value in metadata.items():
        num_chars = len(value) if isinstance(value, str) else sum(map(len, value))
        if len(name) > _MAX_NAME_CHARS or num_chars > _MAX_VALUE_CHARS:
            raise BadRequest(
                f"An entry of metadata may have {_MAX_NAME_CHARS} characters in its name and "
                f"{_MAX_VALUE_CHARS} in its value; '{name[:_MAX_NAME_CHARS]}' has more.",
                param="metadata",
                code="invalid_value",
            )
