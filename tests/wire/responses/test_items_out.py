"""Turns as items of a Responses request."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import Unsupported
from slipstream.wire.responses.items_out import Said, write_items
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark


def _write(*turns: Turn, **more: Any) -> Said:
    return write_items(Asked(dialect="openai_chat", model="m", turns=turns), "openai", **more)


def _part(part: Part, **more: Any) -> tuple[Any, tuple[str, ...]]:
    said = _write(Turn("user", (part,)), **more)
    [item] = said.items
    assert isinstance(item, dict)
    return item["content"][0], said.changes


def test_write_items_one_text_that_leads_is_the_instructions() -> None:
    """More than one, or one that is marked or stands alone, is a message of the developer."""
    user = Turn("user", (Text("u"),))
    said = _write(Turn("system", (Text("a"),)), user)
    assert (said.instructions, len(said.items)) == ("a", 1)
    for turns in (
        [Turn("system", (Text("a"), Text("b"))), user],
        [Turn("system", (Text("a", CacheMark()),)), user],
        [Turn("system", (Text("a"),))],
    ):
        said = _write(*turns)
        assert said.instructions is None
        assert isinstance(said.items[0], dict)
        assert said.items[0]["role"] == "developer"


def test_write_items_later_system_stays_in_its_place() -> None:
    """As a message of the developer."""
    said = _write(Turn("user", (Text("a"),)), Turn("system", (Text("b"),)))
    assert [item["role"] for item in said.items if isinstance(item, dict)] == ["user", "developer"]


def test_write_items_seals_go_to_their_vendor_only() -> None:
    """Others' reasoning is not told, and named."""
    ours = Seal(vendor="openai", kind="encrypted_content", data="gA", item_id="rs_1")
    item = Seal(vendor="openai", kind="item", data='{"type":"web_search_call","id":"ws_1"}')
    theirs = Seal(vendor="anthropic", kind="signature", data="x")
    parts = (
        Reasoning(text="t", is_summary=True, seals=(ours, theirs)),
        Reasoning(seals=(item,)),
    )
    said = _write(Turn("assistant", parts))
    assert said.changes == ()
    assert said.items == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "gA",
        },
        msgspec.Raw(item.data.encode()),
    ]
    foreign = _write(Turn("assistant", (Reasoning(text="t", seals=(theirs,)), Text("a"))))
    assert foreign.changes == ("messages.reasoning_content",)
    assert len(foreign.items) == 1


@pytest.mark.parametrize("data", ['{}],"model":"dear","input":[{}', "[]", "7", "", "{", "null"])
def test_write_items_seal_that_is_no_item_is_left_out(data: str) -> None:
    """Regression: a client's seal was put into the body unread, and could set other fields."""
    seal = Seal(vendor="openai", kind="item", data=data)
    said = _write(Turn("assistant", (Reasoning(seals=(seal,)), Text("a"))))
    assert msgspec.json.encode(said.items).count(b"model") == 0
    assert (len(said.items), said.changes) == (1, ("messages.reasoning_content",))


def test_write_items_sealed_reasoning_without_an_id_gets_one() -> None:
    """The dialect demands it; the same for the same reasoning."""
    seal = Seal(vendor="openai", kind="encrypted_content", data="gA")
    turn = Turn("assistant", (Reasoning(seals=(seal,)),))
    [item] = _write(turn).items
    assert isinstance(item, dict)
    assert item["id"].startswith("rs_")
    assert _write(turn).items == [item]


def test_write_items_citations_of_this_dialect_stay() -> None:
    """Others' have another shape."""
    note = '{"type":"url_citation","url":"u"}'
    texts = Text("a", None, (note,)), Text("b", None, ('{"type":"char_location"}', "{"))
    said = _write(Turn("assistant", (*texts, Refusal("no"))))
    assert said.changes == ("messages.citations",)
    assert said.items == [
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "a",
                    "annotations": [{"type": "url_citation", "url": "u"}],
                },
                {"type": "output_text", "text": "b", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("part", "written", "changes"),
    [
        (
            Image(data="aGk=", media_type="image/gif"),
            {"type": "input_image", "image_url": "data:image/gif;base64,aGk=", "detail": "auto"},
            (),
        ),
        (
            Document(data="aGk=", media_type="application/pdf"),
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,aGk=",
            },
            (),
        ),
        (
            Document(text="t", title="T", context="c", cites=True),
            {"type": "input_text", "text": "T\nc\nt"},
            ("messages.citations",),
        ),
        (
            Document(url="u", context="c"),
            {"type": "input_file", "file_url": "u"},
            ("messages.context",),
        ),
        (Refusal("no"), {"type": "input_text", "text": "no"}, ()),
        (
            Text("a", CacheMark("5m")),
            {
                "type": "input_text",
                "text": "a",
                "prompt_cache_breakpoint": {"mode": "explicit"},
            },
            (),
        ),
    ],
)
def test_write_items_parts_of_every_kind(part: Part, written: Any, changes: Any) -> None:
    """One row for each form that the round trip does not show."""
    assert _part(part) == (written, changes)


def test_write_items_marks_only_where_they_are_known() -> None:
    """Older models answer 400 to them."""
    text = Text("a", CacheMark("1h"))
    assert _part(text, has_marks=False) == (
        {"type": "input_text", "text": "a"},
        ("prompt_cache_breakpoint",),
    )


def test_write_items_long_ids_are_shortened_on_both_sides() -> None:
    """OpenAI takes 64 characters."""
    call = ToolCall(call_id="c" * 99, name="f", arguments="")
    result = ToolResult(call_id="c" * 99)
    items = _write(Turn("assistant", (call,)), Turn("tool", (result,))).items
    ids = {item["call_id"] for item in items if isinstance(item, dict)}
    assert len(ids) == 1
    assert len(ids.pop()) <= 64
    assert isinstance(items[0], dict)
    assert isinstance(items[1], dict)
    assert (items[0]["arguments"], items[1]["output"]) == ("{}", "")


@pytest.mark.parametrize(
    ("parts", "output"),
    [
        ((Text("no"),), "Error: no"),
        ((), "Error"),
        (
            (Image(url="u"),),
            [
                {"type": "input_text", "text": "Error"},
                {"type": "input_image", "image_url": "u", "detail": "auto"},
            ],
        ),
    ],
)
def test_write_items_failed_results_say_so(parts: Any, output: Any) -> None:
    """There is no other place for it."""
    [item] = _write(Turn("tool", (ToolResult(call_id="c", parts=parts, is_error=True),))).items
    assert isinstance(item, dict)
    assert item["output"] == output


def test_write_items_names_of_speakers_are_named() -> None:
    """There is no place for them."""
    assert _write(Turn("user", (Text("a"),), "Ann")).changes == ("messages.name",)


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        (Turn("user", (Audio("a", "wav"),)), "input_audio"),
        (Turn("assistant", (Image(url="u"),)), "image"),
        (Turn("tool", (Text("a"),)), "text"),
    ],
)
def test_write_items_what_has_no_place_is_refused(turn: Turn, param: str) -> None:
    """Another target may take it."""
    with pytest.raises(Unsupported) as caught:
        _write(turn)
    assert caught.value.param == param
