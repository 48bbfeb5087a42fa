"""Embeddings at a provider: one request, one whole answer; how it differs is a row of the catalog.

A provider that answers with numbers only is asked for them, and the client gets the base64 that it
wanted all the same.
"""

from collections.abc import Awaitable, Callable

import msgspec

from slipstream.call import Call, Frame, Frames, Meaning, Serve
from slipstream.catalog.providers import EmbeddingsOffer
from slipstream.errors import Unsupported, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.rooms import NoteRoom
from slipstream.wire.embeddings import patch_embeddings
from slipstream.wire.embeddings_answer import read_embeddings
from slipstream.wire.openai_chat import fields_among


def relay_embeddings(
    offer: EmbeddingsOffer | None,
    *,
    provider: str,
    address: tuple[Origin, str],
    headers: tuple[tuple[bytes, bytes], ...],
    client: HttpClient,
    failure: Callable[[HttpResponse], Awaitable[UpstreamError]],
    note_room: NoteRoom,
) -> Serve:
    """Return the leaf for a provider's embeddings.

    Args:
        offer: None for a provider that has none: each call is refused, and nothing is sent.
        address: Origin and path of the base URL.
        failure: What an answer with an error status means.
        note_room: Looks at each answer.

    Raises:
        Unsupported: From the iteration, like all: the provider has none.
        BadRequest: The body cannot be read.
        UpstreamError: No answer, an error or a broken one; the connection is closed then.
    """
    if offer is None:
        return _refuse(provider)
    origin, path = address
    target = path.encode() + b"/embeddings"
    head = encode_head(origin, b"POST", target, headers)
    rename = dict(offer.renamed_fields)

    async def serve(call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        patched = patch_embeddings(
            call.body,
            model=attempt.target.model,
            rename=rename,
            drop=offer.refused_fields,
            takes_base64=offer.takes_base64,
        )
        request = HttpRequest(
            origin=origin, method=b"POST", target=target, head=head, body=patched.body
        )
        response = await client.open(request, attempt.deadlines, attempt.total_deadline_s)
        try:
            note_room(attempt, response)
            if response.status != 200:
                raise await failure(response)
            body = await response.read()
        finally:
            response.close()
        answer = read_embeddings(
            body, request_bytes=len(call.body), needs_base64=patched.needs_base64
        )
        changes = _changes(call.body, offer)
        yield msgspec.structs.replace(answer, changes=changes) if changes else answer

    return serve


def _changes(body: bytes, offer: EmbeddingsOffer) -> tuple[str, ...]:
    """Name what the provider got otherwise; how vectors are written is none, since it is undone."""
    renamed = dict(offer.renamed_fields)
    if not renamed and not offer.refused_fields:
        return ()
    called = [f"{old} -> {renamed[old]}" for old in fields_among(body, tuple(renamed))]
    return (*called, *fields_among(body, offer.refused_fields))


def _refuse(provider: str) -> Serve:
    async def serve(call: Call) -> Frames:
        raise Unsupported(
            f"The provider '{provider}' has no embeddings models: name another one in 'model'."
        )
        yield Frame(b"", Meaning.END)  # which makes it a generator, as every leaf is

    return serve
