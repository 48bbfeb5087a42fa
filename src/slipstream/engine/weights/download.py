"""Fetches one file over HTTP with the standard library; picks up where an earlier try stopped.

Proxies come from the environment and certificates are verified, as urllib does by itself.
Redirects are followed, to http and https only: files on hubs are served that way.
"""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from slipstream.engine.weights.sources import Url
from slipstream.engine.weights.store import require_space, sha256_of
from slipstream.errors import LoadFailed

_TIMEOUT_S: Final = 60.0  # to connect, and between two reads
_CHUNK_BYTES: Final = 1 << 18
_TRIES: Final = 4  # each goes on where the last was cut
_PART: Final = "download.part"
_NOTE: Final = "download.json"
_WHOLE: Final = "download"
_SAFE_SCHEMES: Final = ("http", "https")


class _Note(msgspec.Struct, frozen=True):
    """What the partial file is a part of: its version, for If-Range."""

    validator: str | None


class _Cut(Exception):
    """The connection ended early; what came is kept."""


def fetch_url(
    source: Url, folder: Path, space_factor: int, on_bytes: Callable[[int, int | None], None]
) -> tuple[Path, str]:
    """Download a file into a folder, or find it there; gives its path and SHA-256.

    Args:
        space_factor: How many times its size must be free on the disk before it starts.

    Raises:
        LoadFailed: The server refuses, cannot be reached, or the file is not the one wanted.
            What came so far stays for the next try, unless its hash was wrong.
    """
    whole = folder / _WHOLE
    if not whole.is_file():
        _download(source, folder, space_factor, on_bytes)
    digest = sha256_of(whole)
    if source.sha256 is not None and digest != source.sha256:
        whole.unlink()
        raise LoadFailed(
            f"{source.label}: its SHA-256 is {digest}, expected {source.sha256}; nothing was kept"
        )
    return whole, digest


def _download(
    source: Url, folder: Path, space_factor: int, on_bytes: Callable[[int, int | None], None]
) -> None:
    part = folder / _PART
    for number in range(1, _TRIES + 1):
        try:
            _receive(source, folder, space_factor, on_bytes)
        except _Cut as exc:
            if number == _TRIES:
                raise LoadFailed(
                    f"{source.label}: cut {_TRIES} times ({exc}); the same command goes on from "
                    f"byte {part.stat().st_size if part.exists() else 0}"
                ) from exc
            continue
        part.rename(folder / _WHOLE)
        return


def _receive(
    source: Url, folder: Path, space_factor: int, on_bytes: Callable[[int, int | None], None]
) -> None:
    part = folder / _PART
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(source.url, headers=_headers(folder, start))  # noqa: S310 -- http(s) only, checked when parsed
    try:
        with _opener().open(request, timeout=_TIMEOUT_S) as answer:
            start = start if _goes_on(answer, start) else 0
            total = _total(answer, start)
            if total is not None:
                require_space(folder, total * space_factor - start, "the model")
            _note(folder, answer)
            _save(answer, part, start, total, on_bytes)
    except urllib.error.HTTPError as exc:
        with exc:  # it is the answer, too, and holds the connection
            _refused(source, part, exc)
    except urllib.error.URLError as exc:
        raise LoadFailed(f"{source.label}: {exc.reason}; is the network there?") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise _Cut(str(exc) or type(exc).__name__) from exc


def _refused(source: Url, part: Path, exc: urllib.error.HTTPError) -> None:
    if exc.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and part.exists():
        part.unlink()  # another file than before: begin again
        raise _Cut("the file changed on the server") from exc
    if exc.code // 100 == 3:
        raise LoadFailed(f"{source.label}: a redirect to something else than http or https")
    # The server's own words may quote an address with a key in it: the status says enough.
    words = http.client.responses.get(exc.code, "")
    raise LoadFailed(f"{source.label}: the server answered {exc.code} {words}") from exc


def _headers(folder: Path, start: int) -> dict[str, str]:
    plain = {"User-Agent": "slipstream", "Accept-Encoding": "identity"}
    note = folder / _NOTE
    if not start or not note.is_file():
        return plain
    validator = msgspec.json.decode(note.read_bytes(), type=_Note).validator
    # Without a validator the rest might be another file's: begin again.
    return plain | ({"Range": f"bytes={start}-", "If-Range": validator} if validator else {})


def _note(folder: Path, answer: Any) -> None:
    etag = answer.headers.get("ETag")
    strong = etag if etag and not etag.startswith("W/") else None
    note = _Note(strong or answer.headers.get("Last-Modified"))
    (folder / _NOTE).write_bytes(msgspec.json.encode(note))


def _goes_on(answer: Any, start: int) -> bool:
    if answer.status != http.client.PARTIAL_CONTENT:
        return False
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise _Cut("the server sent another range than asked for")
    return True


def _total(answer: Any, start: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def _save(
    answer: Any,
    part: Path,
    start: int,
    total: int | None,
    on_bytes: Callable[[int, int | None], None],
) -> None:
    done = start
    with part.open("r+b" if part.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        on_bytes(done, total)
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            on_bytes(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Cut(f"{done} of {total} bytes came")


class _HttpRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, never from https to something less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        schemes = _SAFE_SCHEMES if req.type == "http" else ("https",)
        if newurl.split(":", 1)[0].lower() not in schemes:
            fp.close()
            raise urllib.error.URLError(f"a redirect to something else than {' or '.join(schemes)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_HttpRedirects)
