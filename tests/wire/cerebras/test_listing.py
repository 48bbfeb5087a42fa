"""Tests of slipstream.wire.cerebras.listing, against recorded answers and the SDK's types."""

import json
from typing import Any

import pydantic
import pytest
from cerebras.cloud.sdk.types import model_list_response, model_retrieve_response

from slipstream.errors import BadRequest, UnknownModel
from slipstream.wire.cerebras.errors import error_body
from slipstream.wire.cerebras.listing import (
    FORMATS,
    Listed,
    ListFormat,
    model_body,
    models_body,
    read_format,
    unknown_model_body,
    usd_of,
)
from slipstream.wire.cerebras.models import MODELS, row_for, row_from

GPT = MODELS["gpt-oss-120b"]
AT_CEREBRAS = Listed(
    name="gpt-oss-120b",
    row=GPT,
    context_tokens=131_072,
    max_output_tokens=40_960,
    prompt_usd=usd_of(GPT.prompt_usd_pico or 0),
    completion_usd=usd_of(GPT.completion_usd_pico or 0),
)
HERE = Listed(
    name="smollm2-135m",
    row=row_for("smollm2-135m"),
    context_tokens=8192,
    max_output_tokens=8192,
    created_s=1_730_000_000,
    owned_by="HuggingFaceTB",
)
MODELS_HERE = [AT_CEREBRAS, HERE]

# The live public record of August 2026 as the contract's section 3.7 has it.
RECORDED = (
    '{"id":"gpt-oss-120b","object":"model","created":1754438400,"owned_by":"OpenAI",'
    '"name":"OpenAI GPT OSS","description":"…","hugging_face_id":"openai/gpt-oss-120b",'
    '"pricing":{"prompt":"0.00000035","completion":"0.00000075"},'
    '"capabilities":{"streaming":true,"function_calling":true,"structured_outputs":true,'
    '"vision":false,"json_mode":true,"tools":true,"tool_choice":true,"parallel_tool_calls":false,'
    '"response_format":true,"reasoning":true},'
    '"supported_parameters":{"temperature":true,"top_p":true,"seed":true,"stop":true,'
    '"max_completion_tokens":true,"logprobs":false,"top_logprobs":false,"frequency_penalty":true,'
    '"presence_penalty":true,"logit_bias":true,"repetition_penalty":false},'
    '"architecture":{"modality":"text","tokenizer":"GPT","instruct_type":"harmony"},'
    '"limits":{"max_context_length":131072,"max_completion_tokens":40960,'
    '"requests_per_minute":null,"tokens_per_minute":null},"datacenter_locations":[],'
    '"deprecated":false,"preview":false,"quantization":"FP16/8 (weights only)"}'
)

LISTS: dict[ListFormat, type[pydantic.BaseModel]] = {
    "default": model_list_response.ModelMetadataList,
    "openrouter": model_list_response.OpenRouterModelsResponse,
    "huggingface": model_list_response.HuggingFaceModelsResponse,
}
ELEMENTS: dict[tuple[ListFormat, bool], type[pydantic.BaseModel]] = {
    ("default", False): model_retrieve_response.ModelMetadata,
    ("default", True): model_retrieve_response.PublicModel,
    ("openrouter", False): model_retrieve_response.OpenRouterModel,
    ("openrouter", True): model_retrieve_response.OpenRouterModel,
    ("huggingface", False): model_retrieve_response.HuggingFaceModel,
    ("huggingface", True): model_retrieve_response.HuggingFaceModel,
}


def _listed(form: ListFormat, *, is_public: bool = False) -> Any:
    return json.loads(models_body(MODELS_HERE, form, is_public=is_public))


def test_public_model_is_the_recorded_one_byte_for_byte() -> None:
    """Fields, their order and the way prices are written are those of the live catalogue."""
    row = row_from(GPT, {"description": "…"})
    said = model_body([Listed(**_fields(AT_CEREBRAS, row=row))], "gpt-oss-120b", is_public=True)
    assert said.decode() == RECORDED


def _fields(listed: Listed, **changes: Any) -> dict[str, Any]:
    return {name: getattr(listed, name) for name in listed.__struct_fields__} | changes


def test_default_list_is_the_recorded_one() -> None:
    """Date 0 and Cerebras as the owner, as live, unless we say otherwise."""
    assert models_body(MODELS_HERE) == (
        b'{"object":"list","data":['
        b'{"id":"gpt-oss-120b","object":"model","created":0,"owned_by":"Cerebras"},'
        b'{"id":"smollm2-135m","object":"model","created":1730000000,"owned_by":"HuggingFaceTB"}]}'
    )


@pytest.mark.parametrize("form", FORMATS)
def test_list_is_what_the_sdk_expects(form: ListFormat) -> None:
    """Every required field is there with its strict type; nothing else is."""
    read = LISTS[form].model_validate_json(models_body(MODELS_HERE, form), strict=True)
    assert read.model_extra == {}
    assert [each.id for each in read.data] == ["gpt-oss-120b", "smollm2-135m"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("form", "is_public"), ELEMENTS)
def test_element_is_what_the_sdk_expects_and_the_list_holds(
    form: ListFormat, is_public: bool
) -> None:
    """One model is told as its element of the list."""
    elements = _listed(form, is_public=is_public)["data"]
    for model, element in zip(MODELS_HERE, elements, strict=True):
        body = model_body(MODELS_HERE, model.name, form, is_public=is_public)
        assert json.loads(body) == element
        kind = ELEMENTS[form, is_public]
        assert kind.model_validate_json(body, strict=True).model_extra == {}


def test_lists_but_openrouters_say_that_they_are_lists() -> None:
    """OpenRouter's has `data` alone."""
    for is_public in (False, True):
        kinds = [_listed(form, is_public=is_public).get("object") for form in FORMATS]
        assert kinds == ["list", None, "list"]


def test_openrouter_has_all_fields_and_prices_of_one_token() -> None:
    """As text, exact."""
    said, ours = _listed("openrouter")["data"]
    assert said == {
        "id": "gpt-oss-120b",
        "name": "OpenAI GPT OSS",
        "created": 1754438400,
        "context_length": 131072,
        "max_output_length": 40960,
        "pricing": {
            "prompt": "0.00000035",
            "completion": "0.00000075",
            "image": "0",
            "request": "0",
            "input_cache_read": "0",
            "input_cache_write": "0",
        },
        "description": "OpenAI GPT OSS, served by Slipstream.",
        "hugging_face_id": "openai/gpt-oss-120b",
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "quantization": "fp16",
        "supported_sampling_parameters": list(GPT.supported_parameters or ()),
        "supported_features": ["tools", "json_mode", "structured_outputs", "reasoning"],
        "datacenters": [],
        "openrouter": None,
    }
    assert "logprobs" in ours["supported_sampling_parameters"]
    assert "repetition_penalty" not in ours["supported_sampling_parameters"]


def test_huggingface_has_prices_of_a_million_tokens() -> None:
    """As numbers; an id of the hub is left out where none is known."""
    said, ours = _listed("huggingface")["data"]
    assert said["pricing"] == {"input": 0.35, "output": 0.75}
    assert said["hugging_face_id"] == "openai/gpt-oss-120b"
    assert ours["pricing"] == {"input": 0.0, "output": 0.0}
    assert "hugging_face_id" not in ours


def test_model_that_we_run_costs_nothing_whatever_its_row_says() -> None:
    """The row's price is Cerebras's; the listing tells what the model costs here."""
    here = Listed(**_fields(AT_CEREBRAS, prompt_usd="0", completion_usd="0", context_tokens=8192))
    said = json.loads(model_body([here], "gpt-oss-120b", is_public=True))
    assert said["pricing"] == {"prompt": "0", "completion": "0"}
    assert said["limits"]["max_context_length"] == 8192


def test_model_that_reads_images_says_so_in_every_format() -> None:
    """Gemma's row: text and vision."""
    models = [Listed(**_fields(HERE, name="gemma-4-31b", row=MODELS["gemma-4-31b"]))]
    public = json.loads(models_body(models, is_public=True))["data"][0]
    assert public["capabilities"]["vision"] is True
    assert public["architecture"]["modality"] == "text+vision"
    assert public["preview"] is True
    assert json.loads(models_body(models, "huggingface"))["data"][0]["capabilities"]["vision"]
    [routed] = json.loads(models_body(models, "openrouter"))["data"]
    assert routed["input_modalities"] == ["text", "image"]


def test_unknown_model_is_told_in_two_shapes() -> None:
    """Flat for an account's model, a detail for a public one."""
    with pytest.raises(UnknownModel) as caught:
        model_body(MODELS_HERE, "gpt-5")
    flat = (
        b'{"message":"Model gpt-5 does not exist or you do not have access to it.",'
        b'"type":"not_found_error","param":"model","code":"model_not_found"}'
    )
    assert error_body(caught.value) == unknown_model_body("gpt-5") == flat
    assert unknown_model_body("gpt-5", is_public=True) == (
        b'{"detail":"Model \'gpt-5\' not found or not publicly available"}'
    )


def test_unknown_model_with_a_long_name_is_told_briefly() -> None:
    """What a caller may write is not sent back whole."""
    for is_public in (False, True):
        assert len(unknown_model_body("x" * 60_000, is_public=is_public)) < 500


@pytest.mark.parametrize("asked", [None, "", *FORMATS])
def test_format_is_one_of_three_or_absent(asked: str | None) -> None:
    """No format is the default one."""
    assert read_format(asked) == (asked or "default")


@pytest.mark.parametrize("asked", ["x", "Default", "openrouter "])
def test_unknown_format_is_refused_by_naming_the_three(asked: str) -> None:
    """The error is a flat 400 that says what would do."""
    with pytest.raises(BadRequest) as caught:
        read_format(asked)
    assert all(f"'{form}'" in caught.value.message for form in FORMATS)
    assert f"'{asked}'" in caught.value.message
    assert caught.value.code == "wrong_api_format"


@pytest.mark.parametrize(
    ("usd_pico", "text"),
    [(0, "0"), (350_000, "0.00000035"), (1, "0.000000000001"), (10**13, "10")],
)
def test_price_is_written_exactly_and_without_an_exponent(usd_pico: int, text: str) -> None:
    """From one pico-dollar up."""
    assert usd_of(usd_pico) == text


@pytest.mark.parametrize("is_public", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_model_without_a_known_price_is_in_no_list_of_prices(
    form: ListFormat, is_public: bool
) -> None:
    """An unknown price is not a price of zero."""
    unknown = Listed(
        name="far", row=row_for("far"), context_tokens=10, max_output_tokens=10, is_priced=False
    )
    listed = json.loads(models_body([HERE, unknown], form, is_public=is_public))["data"]
    tells_prices = (form, is_public) != ("default", False)
    assert [entry["id"] for entry in listed] == [HERE.name, "far"][: 1 if tells_prices else 2]
    if tells_prices:
        with pytest.raises(UnknownModel):
            model_body([unknown], "far", form, is_public=is_public)
