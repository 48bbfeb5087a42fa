"""Tests of slipstream.wire.cerebras.request: what reaches the model of a request that is right."""

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.request import read_cerebras_request
from tests.wire.cerebras.said import ANSWER, ASKS, HI, JSON_OBJECT, TOOL, chat, flat, refusal


def test_unknown_model_is_refused_with_404() -> None:
    """Section 5.3: the words, type, param and code of an unknown model."""
    assert refusal(chat(model="X")) == (
        404,
        {
            "message": "Model X does not exist or you do not have access to it.",
            "type": "not_found_error",
            "param": "model",
            "code": "model_not_found",
        },
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"model":"\xff"}', b"NaN", b"[" * 9_999])
def test_body_that_is_no_json_is_refused(body: bytes) -> None:
    """Also one that is nested too deep to be read."""
    assert refusal(body) == flat("body: not valid JSON")


def test_request_with_many_fields_is_read_as_the_model_needs_it() -> None:
    """Roles, calls, limits of -1 and formats reach the shared record."""
    asked = read_cerebras_request(
        chat(
            messages=[{"role": "developer", "content": "s"}, *HI, ASKS, ANSWER],
            max_completion_tokens=-1,
            stop="x",
            stream=True,
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "f"}},
            service_tier="flex",
        )
    )
    assert [turn.role for turn in asked.chat.turns] == ["system", "user", "assistant", "tool"]
    assert asked.chat.max_tokens == 40_960  # as much as the model may write
    assert asked.chat.stop == ("x",)
    assert asked.chat.tools is not None
    assert (asked.chat.tools.choice, asked.chat.tools.name) == ("named", "f")
    assert not asked.chat.tools.is_parallel
    assert asked.chat.priority == -1
    assert (asked.reasoning_format, asked.is_stream) == ("text_parsed", True)
    assert asked.chat.switches == {"reasoning_effort": "medium", "clear_thinking": True}


def test_raw_default_becomes_hidden_where_json_is_asked() -> None:
    """Section 2.6: a model whose default is raw hides its reasoning beside JSON."""
    said = chat(model="qwen-3-32b", response_format=JSON_OBJECT)
    assert read_cerebras_request(said).reasoning_format == "hidden"


@pytest.mark.parametrize(
    ("threshold", "tier", "max_queue_s"),
    [("50", "flex", 0.05), ("20000", "auto", 20.0), ("500", None, None), (None, "flex", None)],
)
def test_queue_threshold_bounds_the_wait_of_its_tiers(
    threshold: str | None, tier: str | None, max_queue_s: float | None
) -> None:
    """Section 3.9: for flex and auto, in milliseconds."""
    asked = read_cerebras_request(chat(service_tier=tier), queue_threshold=threshold)
    assert asked.max_queue_s == max_queue_s


@pytest.mark.parametrize("threshold", ["49", "20001", "", "-50", "5e2", "9" * 5_000])
def test_queue_threshold_out_of_range_is_refused(threshold: str) -> None:
    """A bug: digits without end are no number for Python, which was a 500."""
    with pytest.raises(BadRequest, match=r"queue_threshold: '.{0,40}' is not in 50\.\.\.20000"):
        read_cerebras_request(chat(), queue_threshold=threshold)
