"""Tests of slipstream.wire.cerebras.catalogue, against the types of the official SDK."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pydantic
import pytest
from cerebras.cloud.sdk.types import model_list_response, model_retrieve_response

from slipstream.wire.cerebras import catalogue
from slipstream.wire.cerebras.models import PARAMETERS

SAME: list[tuple[type[msgspec.Struct], type[pydantic.BaseModel]]] = [
    (catalogue.ModelEntry, model_retrieve_response.ModelMetadata),
    (catalogue.OpenRouterModel, model_retrieve_response.OpenRouterModel),
    (catalogue.HuggingFaceModel, model_retrieve_response.HuggingFaceModel),
    (catalogue.PublicModel, model_retrieve_response.PublicModel),
    (catalogue.ModelList, model_list_response.ModelMetadataList),
    (catalogue.OpenRouterModelList, model_list_response.OpenRouterModelsResponse),
    (catalogue.HuggingFaceModelList, model_list_response.HuggingFaceModelsResponse),
]


def _inside(hint: Any, kind: type) -> Any:
    """Return the record that a type holds, however deep in unions and arrays; None if none."""
    if get_origin(hint) in (Union, UnionType, list, tuple):
        return next((found for each in get_args(hint) if (found := _inside(each, kind))), None)
    is_record = isinstance(hint, type) and issubclass(hint, kind)
    return hint if is_record and get_origin(hint) is not Literal else None


def _differences(
    ours: type[msgspec.Struct], theirs: type[pydantic.BaseModel], path: str = ""
) -> Iterator[str]:
    """Name each field that one of two records has and the other has not."""
    known = {field.name: field.type for field in msgspec.structs.fields(ours)}
    for name in known.keys() ^ theirs.model_fields.keys():
        yield f"{path}.{name}"
    for name in known.keys() & theirs.model_fields.keys():
        mine = _inside(known[name], msgspec.Struct)
        other = _inside(theirs.model_fields[name].annotation, pydantic.BaseModel)
        if (mine is None) != (other is None):
            yield f"{path}.{name} is an object in one"
        elif mine is not None:
            yield from _differences(mine, other, f"{path}.{name}")


@pytest.mark.parametrize(("ours", "theirs"), SAME)
def test_record_has_the_fields_of_the_sdk(
    ours: type[msgspec.Struct], theirs: type[pydantic.BaseModel]
) -> None:
    """No field of the contract is missing and none is made up, at any depth."""
    assert list(_differences(ours, theirs)) == []


def test_differences_are_seen() -> None:
    """The comparison can fail, also inside of a field."""
    found = set(_differences(catalogue.ModelEntry, model_retrieve_response.PublicModel))
    assert ".pricing" in found
    deep = _differences(catalogue.PublicModel, model_retrieve_response.OpenRouterModel)
    assert ".pricing.image" in set(deep)


def test_parameters_are_those_that_rows_may_name() -> None:
    """The names stand in two places, which agree."""
    assert catalogue.SupportedParameters.__struct_fields__ == PARAMETERS
