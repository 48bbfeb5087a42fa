"""A provider's list of models: as many requests as it has pages."""

from collections.abc import Awaitable, Callable
from typing import Final

from slipstream.call import Dialect, Secret
from slipstream.catalog.providers import Listing, Spoken
from slipstream.choice import Deadlines
from slipstream.errors import Broken, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, Origin, encode_head
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.lines import headers_of
from slipstream.wire.models_in import ModelEntry, Page, read_models

MAX_PAGES: Final = 20  # of a thousand models each, where the provider has pages

ListModels = Callable[[Deadlines, float], Awaitable[list[ModelEntry]]]
"""From deadlines, and when all must be over, to the models that the provider lists now."""

_DIALECTS: Final = {
    "openai": Dialect.OPENAI_CHAT,
    "anthropic": Dialect.ANTHROPIC_MESSAGES,
    "gemini": Dialect.GEMINI,
}
_QUERIES: Final = {"openai": "", "anthropic": "limit=1000", "gemini": "pageSize=1000"}


def listing_models(
    listing: Listing,
    *,
    address: tuple[Origin, str],
    key: Secret | None,
    client: HttpClient,
    failure: Callable[[HttpResponse, Dialect], Awaitable[UpstreamError]],
) -> ListModels:
    """Return what asks a provider for its list.

    Args:
        address: Origin and the path before `/models`.
        failure: What an answer with an error status means.

    Raises:
        UpstreamError: From the call: it cannot be reached, refuses, or answers with something else.
    """
    origin, path = address
    dialect = _DIALECTS[listing.shape]
    headers = headers_of(Spoken(dialect=dialect, key_headers=listing.key_headers), key)

    async def ask(query: str, deadlines: Deadlines, total_deadline_s: float) -> Page:
        target = f"{path}/models{'?' if query else ''}{query}".encode()
        head = encode_head(origin, b"GET", target, headers)
        request = HttpRequest(origin=origin, method=b"GET", target=target, head=head)
        response = await client.open(request, deadlines, total_deadline_s)
        try:
            if response.status != 200:
                raise await failure(response, dialect)
            return read_models(await response.read())
        finally:
            response.close()

    async def ask_all(deadlines: Deadlines, total_deadline_s: float) -> list[ModelEntry]:
        usual = _QUERIES[listing.shape]
        query, entries = usual, list[ModelEntry]()
        for _ in range(MAX_PAGES):
            page = await ask(query, deadlines, total_deadline_s)
            entries += page.entries
            if page.after is None:
                return entries
            query = f"{usual}&{page.after}" if usual else page.after
        raise Broken(f"the list of models has more than {MAX_PAGES} pages")

    return ask_all
