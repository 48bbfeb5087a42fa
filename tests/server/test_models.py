"""Lists of models: whose shape, which format, and who may see them."""

import json

import pytest

from slipstream.server.models import ModelList
from slipstream.wire.cerebras.listing import Listed
from slipstream.wire.cerebras.models import row_for
from tests.server.asking import Asked, ask, gateway_of, whole

SDK = (b"user-agent", b"Cerebras/Python 1.91.0")
OWN = [
    Listed(name=name, row=row_for(name), context_tokens=8_192, max_output_tokens=4_096)
    for name in ("gpt-oss-120b", "a/b c")
]


async def list_one() -> ModelList:
    """List one model, as a provider names it."""
    return [{"id": "far/m", "object": "model", "created": 5, "owned_by": "far"}]


async def asked(path: str, *, query: bytes = b"", is_sdk: bool = False) -> Asked:
    """Ask a gateway with two models of its own and one of a provider's."""
    gateway = gateway_of(whole(), list_models=list_one, own_models=OWN)
    request = Asked(method="GET", path=path, headers=[SDK] if is_sdk else [])
    request.scope["query_string"] = query
    return await ask(gateway, request)


@pytest.mark.parametrize(
    ("path", "query", "is_sdk", "ids"),
    [
        ("/v1/models", b"", False, ["far/m"]),
        ("/models", b"other=1", False, ["far/m"]),
        ("/v1/models", b"", True, ["gpt-oss-120b", "a/b c"]),
        ("/v1/models", b"format=default", False, ["gpt-oss-120b", "a/b c"]),
        ("/v1/models", b"format=openrouter", False, ["gpt-oss-120b", "a/b c"]),
        ("/v1/models", b"format=huggingface", True, ["gpt-oss-120b", "a/b c"]),
        ("/public/v1/models", b"", False, ["gpt-oss-120b", "a/b c"]),
        ("/public/v1/models", b"format=openrouter", False, ["gpt-oss-120b", "a/b c"]),
    ],
)
async def test_list_is_its_callers(path: str, query: bytes, is_sdk: bool, ids: list[str]) -> None:
    """OpenAI's list has everything; Cerebras's have what is offered under a name of ours."""
    listed = json.loads((await asked(path, query=query, is_sdk=is_sdk)).body)["data"]
    assert [entry["id"] for entry in listed] == ids


@pytest.mark.parametrize(
    ("path", "query", "is_sdk", "keys"),
    [
        ("/v1/models/far/m", b"", False, {"id", "object", "created", "owned_by"}),
        ("/v1/models/a/b c", b"", True, {"id", "object", "created", "owned_by"}),
        ("/v1/models/gpt-oss-120b", b"format=huggingface", False, {"id", "context_length"}),
        ("/public/v1/models/gpt-oss-120b", b"", False, {"id", "limits", "architecture"}),
    ],
)
async def test_one_model_is_its_entry(
    path: str, query: bytes, is_sdk: bool, keys: set[str]
) -> None:
    """An id may have slashes and spaces."""
    assert keys <= set(json.loads((await asked(path, query=query, is_sdk=is_sdk)).body))


@pytest.mark.parametrize(
    ("path", "query", "is_sdk", "status", "wanted"),
    [
        ("/v1/models/nope", b"", False, 404, {"error"}),
        ("/v1/models/nope", b"", True, 404, {"message", "type", "param", "code"}),
        ("/v1/models/far/m", b"", True, 404, {"message", "type", "param", "code"}),
        ("/public/v1/models/nope", b"", False, 404, {"detail"}),
        ("/v1/models", b"format=xml", True, 400, {"message", "type", "param", "code"}),
        ("/v1/models", b"format=xml", False, 400, {"error"}),
        ("/public/v1/models", b"format=xml", False, 400, {"error"}),
    ],
)
async def test_what_is_not_there_is_told_in_the_callers_shape(
    path: str, query: bytes, is_sdk: bool, status: int, wanted: set[str]
) -> None:
    """A public name that is unknown has a shape of its own."""
    answer = await asked(path, query=query, is_sdk=is_sdk)
    assert answer.status == status
    assert set(json.loads(answer.body)) == wanted


VERSION = (b"anthropic-version", b"2023-06-01")


async def anthropic(path: str, query: bytes = b"", *more: tuple[bytes, bytes]) -> Asked:
    """Ask as Anthropic's SDK does."""
    gateway = gateway_of(whole(), list_models=list_three, own_models=OWN)
    request = Asked(method="GET", path=path, headers=[VERSION, *more])
    request.scope["query_string"] = query
    return await ask(gateway, request)


async def list_three() -> ModelList:
    """List three models."""
    return [{"id": f"far/{name}", "object": "model", "created": 5} for name in "abc"]


@pytest.mark.parametrize(
    ("query", "names", "has_more"),
    [
        (b"", "abc", False),
        (b"limit=1000&beta=true", "abc", False),
        (b"limit=2", "ab", True),
        (b"limit=2&after_id=far/b", "c", False),
        (b"after_id=far%2Fc", "", False),
        (b"limit=1&before_id=far/c", "b", True),
    ],
)
async def test_anthropics_callers_get_their_own_pages(
    query: bytes, names: str, has_more: bool
) -> None:
    """Whatever SDK a User-Agent names beside it, and with the id where their SDK looks for it."""
    for more in ((), (SDK,)):
        answer = await anthropic("/v1/models", query, *more)
        told = json.loads(answer.body)
        assert [entry["id"] for entry in told["data"]] == [f"far/{name}" for name in names]
        assert told["has_more"] is has_more
        assert answer.headers["request-id"] == answer.headers["x-request-id"]


async def test_anthropics_callers_get_one_model_as_theirs() -> None:
    """In the same words as in the list."""
    [entry, *_] = json.loads((await anthropic("/v1/models")).body)["data"]
    assert json.loads((await anthropic("/v1/models/far/a")).body) == entry
    assert entry["created_at"] == "1970-01-01T00:00:05Z"


@pytest.mark.parametrize(
    ("path", "query", "status", "kind"),
    [
        ("/v1/models/nope", b"", 404, "not_found_error"),
        ("/v1/models", b"limit=0", 400, "invalid_request_error"),
        ("/v1/models", b"after_id=nope", 400, "invalid_request_error"),
    ],
)
async def test_anthropics_callers_get_errors_as_theirs(
    path: str, query: bytes, status: int, kind: str
) -> None:
    """With the request's id in body and header."""
    answer = await anthropic(path, query)
    told = json.loads(answer.body)
    assert (answer.status, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == answer.headers["request-id"]


async def test_private_names_are_not_public() -> None:
    """Which names are told without a key is the configuration's to say."""
    gateway = gateway_of(whole(), own_models=OWN, is_public=lambda name: "/" not in name)
    for path, status in (("/public/v1/models/gpt-oss-120b", 200), ("/public/v1/models/a/b c", 404)):
        answer = await ask(gateway, Asked(method="GET", path=path))
        assert answer.status == status
