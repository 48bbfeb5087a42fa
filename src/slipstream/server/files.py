"""The Files API: uploads, lists, contents. A key sees its own files and no others."""

from contextlib import aclosing
from typing import Final

import msgspec

from slipstream.batches.disk import Content, in_thread
from slipstream.batches.records import FileRecord
from slipstream.batches.shelf import on_disk
from slipstream.batches.store import Store
from slipstream.errors import BodyTooLarge, GatewayError
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.body import ClientGone
from slipstream.server.multipart import FormReader
from slipstream.server.paging import PAGE_PARAMS, page_of, read_page, read_query
from slipstream.server.paths import Endpoint
from slipstream.server.protocol import ON_GONE
from slipstream.server.reply import JSON, send_whole
from slipstream.server.upload_form import UploadBody, UploadForm
from slipstream.wire.refusals import not_among

PURPOSES: Final = ("batch", "batch_output")

_JSONL: Header = (b"content-type", b"application/x-ndjson")
_READ_BYTES: Final = 256 * 1024
_FORM_BYTES: Final = 64 * 1024  # of a form, beside its file


class FilesApi:
    """Answers at `/v1/files`.

    Args:
        find_key: None where no key is asked for.
    """

    def __init__(self, store: Store, find_key: FindKey | None) -> None:
        self._store = store
        self._find_key = find_key

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is answered, by method and pattern."""
        return {
            ("POST", "/v1/files"): self._create,
            ("GET", "/v1/files"): self._list,
            ("GET", "/v1/files/{id}"): self._retrieve,
            ("DELETE", "/v1/files/{id}"): self._delete,
            ("GET", "/v1/files/{id}/content"): self._content,
        }

    async def _create(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        body = UploadBody(receive)
        max_bytes = self._store.files.max_file_bytes + _FORM_BYTES
        try:
            record = await self._receive(key_id, headers, body, max_bytes)
        except ClientGone:
            return
        except GatewayError:
            if not await body.drop(max_bytes):
                return
            raise
        await send_json(send, call_id, shown_file(record))

    async def _receive(
        self, key_id: str, headers: dict[bytes, bytes], body: UploadBody, max_bytes: int
    ) -> FileRecord:
        files = self._store.files
        reader = FormReader(headers.get(b"content-type"))
        declared_bytes = int(headers.get(b"content-length", b"0"))
        if declared_bytes > max_bytes:
            raise BodyTooLarge(
                f"The form has {declared_bytes} bytes; a file may have {files.max_file_bytes}."
            )
        files.check_room(key_id, max(0, declared_bytes - _FORM_BYTES))
        async with files.receiving() as upload:
            form = UploadForm(upload)
            await _read_form(body, reader, form)
            filename, life_s = form.read()
            return await files.take(upload, key_id, filename, life_s)

    async def _list(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        query = read_query(scope, (*PAGE_PARAMS, "purpose"))
        wanted, purpose = read_page(query), query.get("purpose")
        if purpose is not None and purpose not in PURPOSES:
            raise not_among("purpose", purpose, PURPOSES)
        records = self._store.files.of_key(key_id)
        found = [record for record in records if purpose in (None, record.purpose)]
        await send_json(send, call_id, page_of(found, wanted, shown_file))

    async def _retrieve(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(send, call_id, shown_file(self._asked(scope)))

    async def _delete(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        record = self._asked(scope)
        await self._store.delete_file(record.key_id, record.id)
        deleted: dict[str, object] = {"id": record.id, "object": "file", "deleted": True}
        await send_json(send, call_id, deleted)

    async def _content(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        record = self._asked(scope)
        content = Content(self._store.files.content(record.id))
        gone: list[bool] = []
        scope[ON_GONE] = lambda: gone.append(True)
        try:
            data = await on_disk(content.read, _READ_BYTES)  # while an error can be answered
            head = [_JSONL, (b"content-length", b"%d" % record.num_bytes), _id_header(call_id)]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            left_bytes = record.num_bytes
            while data and not gone:
                left_bytes -= len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
                data = await in_thread(content.read, _READ_BYTES)
            if left_bytes and not gone:
                raise OSError(f"{record.id} lacks its last {left_bytes} bytes")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            del scope[ON_GONE]  # a cycle
            content.close()

    def _asked(self, scope: Scope) -> FileRecord:
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        return self._store.files.get(key_id, scope["path_params"]["id"])


async def _read_form(body: UploadBody, reader: FormReader, form: UploadForm) -> None:
    async with aclosing(body.pieces()) as pieces:
        async for piece in pieces:
            for event in reader.feed(piece):
                await form.take(event)
    reader.close()


def shown_file(record: FileRecord) -> dict[str, object]:
    """Return a file as its owner sees it."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.num_bytes,
        "created_at": record.created_at_ns // 10**9,
        "expires_at": record.expires_at_s,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
    }


async def send_json(send: Send, call_id: str, body: dict[str, object]) -> None:
    """Send an object as a whole answer."""
    await send_whole(send, 200, msgspec.json.encode(body), [JSON, _id_header(call_id)])


def _id_header(call_id: str) -> Header:
    return (b"x-request-id", call_id.encode())
