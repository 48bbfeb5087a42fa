"""Tests of slipstream.wire.cerebras.shape, on a small shape that has one thing of each kind."""

from typing import Any, Final, Literal

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.shape import OneOf, Shape, check_shape, wrong


class Leaf(msgspec.Struct):
    """An object with nothing inside."""

    size: int


class Branch(msgspec.Struct, tag_field="kind", tag="branch"):
    """One of two, told apart by the record's own tag."""

    leaves: list[Leaf]


class Bud(msgspec.Struct, tag_field="kind", tag="bud"):
    """The other."""


class Tree(msgspec.Struct):
    """A whole body."""

    name: Literal["oak", "elm"]
    parts: list[Branch | Bud] = []
    root: Leaf | None = None
    free: dict[str, Any] | None = None


PARTS: Final = {"branch": Shape(Branch, {"leaves": Shape(Leaf)}), "bud": Shape(Bud)}
NAMED: Final[dict[str, Shape | OneOf]] = {
    "parts": OneOf("kind", PARTS, is_named=True),
    "root": Shape(Leaf),
}
UNNAMED: Final[dict[str, Shape | OneOf]] = {"parts": OneOf("kind", PARTS), "root": Shape(Leaf)}
WHOLE: Final = {
    "name": "oak",
    "parts": [{"kind": "bud"}, {"kind": "branch", "leaves": [{"size": 1}, {"size": 2}]}],
    "root": {"size": 3},
    "free": {"x": {"y": 1}},
}


def test_body_that_fits_is_its_record() -> None:
    """Open objects are not looked into."""
    tree = check_shape(WHOLE, Tree, NAMED)
    assert (tree.name, tree.root, tree.free) == ("oak", Leaf(3), WHOLE["free"])
    assert tree.parts == [Bud(), Branch([Leaf(1), Leaf(2)])]


@pytest.mark.parametrize(
    ("body", "named", "unnamed"),
    [
        ({"x": 1}, ["body.x"], ["body.x"]),
        ({"root": {"size": 1, "x": 1}}, ["root.x"], ["root.x"]),
        ({"parts": [{"kind": "bud", "x": 1}]}, ["parts.0.bud.x"], ["parts.0.x"]),
        (
            {"parts": [{}, {"kind": "branch", "leaves": [{"x": 1, "y": 1}]}]},
            ["parts.1.branch.leaves.0.x", "parts.1.branch.leaves.0.y"],
            ["parts.1.leaves.0.x", "parts.1.leaves.0.y"],
        ),
        ({"": 1, "kind": 1}, ["body.", "body.kind"], ["body.", "body.kind"]),
        ({"parts": [{"kind": "bud", "": 1}]}, ["parts.0.bud."], ["parts.0."]),
        ({"parts": {"kind": "bud", "x": 1}}, ["parts.bud.x"], ["parts.x"]),
    ],
)
def test_every_unknown_key_is_told_with_its_path(
    body: dict[str, Any], named: list[str], unnamed: list[str]
) -> None:
    """Before any type; an empty key is one too, and a tag is known where it is one."""
    for inside, paths in ((NAMED, named), (UNNAMED, unnamed)):
        with pytest.raises(BadRequest) as caught:
            check_shape(body, Tree, inside)
        lines = [f"{path}: property '{path}' is unsupported" for path in paths]
        assert caught.value.message.split("\n") == lines


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "body: expected an object"),
        ([WHOLE], "body: expected an object"),
        ({}, "body: Object missing required field `name`"),
        ({"name": "fir"}, "body.name: Invalid enum value 'fir'"),
        (
            {"name": "oak", "parts": [{"kind": "twig", "x": 1}]},
            "body.parts.0.kind: Invalid value 'twig'",
        ),
        ({"name": "oak", "parts": [{"kind": []}]}, "body.parts.0.kind: Expected `str`, got `list`"),
        ({"name": "oak", "parts": [[{"x": 1}]]}, "body.parts.0: Expected `object`, got `array`"),
        (
            {"name": "oak", "parts": [{"kind": "branch", "leaves": [{"size": "1"}]}]},
            "body.parts.0.leaves.0.size: Expected `int`, got `str`",
        ),
    ],
)
def test_wrong_value_is_told_with_its_path(body: Any, message: str) -> None:
    """The first one; keys of what has no shape are not told."""
    with pytest.raises(BadRequest) as caught:
        check_shape(body, Tree, NAMED)
    assert caught.value.message == message


def test_wrong_says_what_cerebras_says_of_bodies() -> None:
    """Param and code; some rules have a param of their own."""
    assert (wrong("x").param, wrong("x").code) == ("validation_error", "wrong_api_format")
    assert wrong("x", "tools").param == "tools"
    assert wrong("x").status == 400
