"""The form of the answer and how much is to be thought."""

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.settings_in import Format, Thoughts, read_form, read_thinking
from slipstream.wire.talk.means import Form, Thinking


@pytest.mark.parametrize(
    ("said", "form"),
    [
        (None, None),
        (Format("text"), None),
        (Format("json_object"), Form(kind="json_object")),
        (
            Format("json_schema", "n", "d", msgspec.Raw(b"{}"), False),
            Form(kind="json_schema", name="n", description="d", schema="{}", strict=False),
        ),
    ],
)
def test_read_form_of_every_kind(said: Format | None, form: Form | None) -> None:
    """Free text is no form."""
    assert read_form(said) == form


@pytest.mark.parametrize(
    ("said", "param"),
    [
        (Format("xml"), "text.format.type"),
        (Format("json_schema"), "text.format.name"),
        (Format("json_schema", "n"), "text.format.schema"),
        (Format("json_schema", "n", schema=msgspec.Raw(b"[]")), "text.format.schema"),
    ],
)
def test_read_form_refuses_by_place(said: Format, param: str) -> None:
    """The error names the field."""
    with pytest.raises(BadRequest) as caught:
        read_form(said)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("said", "thinking"),
    [
        (None, None),
        (Thoughts(), None),
        (Thoughts(context="auto"), None),
        (Thoughts(effort="max"), Thinking(effort="max")),
        (Thoughts(summary="concise"), Thinking(shows="summary")),
        (Thoughts(generate_summary="auto"), Thinking(shows="auto")),
        (Thoughts("low", "detailed"), Thinking(effort="low", shows="detailed")),
    ],
)
def test_read_thinking_of_every_kind(said: Thoughts | None, thinking: Thinking | None) -> None:
    """The older name of the summary is read, too."""
    assert read_thinking(said) == thinking


@pytest.mark.parametrize(
    ("said", "param"),
    [(Thoughts(effort="x"), "reasoning.effort"), (Thoughts(summary="x"), "reasoning.summary")],
)
def test_read_thinking_refuses_by_place(said: Thoughts, param: str) -> None:
    """The error names the field."""
    with pytest.raises(BadRequest) as caught:
        read_thinking(said)
    assert caught.value.param == param
