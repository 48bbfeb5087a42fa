"""What an upload says: its body, taken piece by piece, and the fields of its form."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from slipstream.batches.records import DEFAULT_FILE_LIFE_S
from slipstream.batches.uploads import Upload
from slipstream.errors import BadRequest
from slipstream.server.asgi import Receive
from slipstream.server.body import ClientGone
from slipstream.server.multipart import PartHead
from slipstream.wire.refusals import invalid, missing, not_among

PURPOSE: Final = "batch"
ANCHOR: Final = "created_at"
LEAST_LIFE_S: Final = 3600
LONGEST_LIFE_S: Final = 30 * 24 * 3600

_MAX_FIELD_BYTES: Final = 1024
_MAX_FILENAME_CHARS: Final = 255
_FIELDS: Final = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


class UploadBody:
    """A request's body, read once."""

    __slots__ = ("_has_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_more = True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield what comes; ClientGone if the client leaves before it is whole."""
        while self._has_more:
            message = await self._receive()
            if message["type"] != "http.request":
                self._has_more = False
                raise ClientGone
            self._has_more = message.get("more_body", False)
            yield message.get("body", b"")

    async def drop(self, max_bytes: int) -> bool:
        """Read and throw away what is left, up to a bound; False if the client left meanwhile.

        A client that sends before it reads gets to see the answer.
        """
        try:
            await self._read_on(max_bytes)
        except ClientGone:
            return False
        return True

    async def _read_on(self, max_bytes: int) -> None:
        num_bytes = 0
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                num_bytes += len(piece)
                if num_bytes > max_bytes:
                    return


class UploadForm:
    """What is known of an upload's form while it comes in."""

    __slots__ = ("_fields", "_filename", "_name", "_upload")

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._fields: dict[str, bytes] = {}
        self._filename: str | None = None
        self._name = ""  # of the part that is being read

    async def take(self, event: PartHead | bytes) -> None:
        """Take the next piece of the form; the file's content goes to the upload."""
        if isinstance(event, PartHead):
            self._begin(event)
        elif self._name == "file":
            await self._upload.write(event)
        else:
            self._fields[self._name] += event
            if len(self._fields[self._name]) > _MAX_FIELD_BYTES:
                raise BadRequest(
                    f"'{self._name}' has more than {_MAX_FIELD_BYTES} bytes.", param=self._name
                )

    def read(self) -> tuple[str, int]:
        """Return the file's name and how long it is kept, in seconds; BadRequest if it has none."""
        if self._filename is None:
            raise missing("file")
        if not self._upload.num_bytes:
            raise BadRequest("The file is empty.", param="file", code="empty_file")
        purpose = self._text("purpose")
        if purpose is None:
            raise missing("purpose")
        if purpose != PURPOSE:
            raise not_among("purpose", purpose, (PURPOSE,))
        return self._filename, self._life_s()

    def _begin(self, head: PartHead) -> None:
        self._name = head.name
        if head.name == "file":
            if self._filename is not None:
                raise BadRequest("The form has more than one file.", param="file")
            name = head.filename or "file"
            self._filename = "".join(filter(str.isprintable, name))[:_MAX_FILENAME_CHARS]
        elif head.name not in _FIELDS:
            shown = head.name[:_MAX_FILENAME_CHARS]
            raise BadRequest(
                f"Unknown parameter '{shown}'; a form has file, {', '.join(_FIELDS)}.",
                param=shown,
                code="unknown_parameter",
            )
        elif head.name in self._fields:
            raise BadRequest(f"'{head.name}' stands there twice.", param=head.name)
        else:
            self._fields[head.name] = b""

    def _life_s(self) -> int:
        anchor, seconds = self._text("expires_after[anchor]"), self._text("expires_after[seconds]")
        if anchor is None and seconds is None:
            return DEFAULT_FILE_LIFE_S
        if anchor is None:
            raise missing("expires_after[anchor]")
        if seconds is None:
            raise missing("expires_after[seconds]")
        is_number = seconds.isascii() and seconds.isdecimal() and len(seconds) <= 9
        return life_of(anchor, int(seconds) if is_number else -1, seconds)

    def _text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return None if value is None else value.decode(errors="replace")


def life_of(anchor: str, seconds: int, shown: str, *, param: str = "expires_after[{}]") -> int:
    """Return how long a file is kept, in seconds.

    Args:
        shown: The seconds as the client wrote them.
        param: The name of the parameter that says so, with a hole for the part of it.

    Raises:
        BadRequest: It cannot be kept like this.
    """
    if anchor != ANCHOR:
        raise not_among(param.format("anchor"), anchor, (ANCHOR,))
    if not LEAST_LIFE_S <= seconds <= LONGEST_LIFE_S:
        accepted = f"a whole number from {LEAST_LIFE_S} to {LONGEST_LIFE_S}"
        raise invalid(param.format("seconds"), f"expected {accepted}, got '{shown[:100]}'")
    return seconds
