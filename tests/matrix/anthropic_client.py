"""Messages as anthropic's SDK speaks it, validating strictly."""

from typing import Any, Final

from anthropic import APIError, AsyncAnthropic, DefaultAsyncHttpxClient

from tests.matrix.asking import Ask, Call, Counts, Heard, Notes

_FINISHES: Final = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}
_BUDGET: Final = 2049


class MessagesClient:
    """`client.messages`."""

    def __init__(self, url: str, key: str) -> None:
        self.notes = Notes()
        self._sdk = AsyncAnthropic(
            base_url=url,
            api_key=key,
            max_retries=0,
            timeout=30.0,
            http_client=DefaultAsyncHttpxClient(event_hooks={"response": [self.notes]}),
            _strict_response_validation=True,
        )

    async def close(self) -> None:
        """Close the SDK's client."""
        await self._sdk.close()

    async def ask(self, model: str, ask: Ask, *, stream: bool) -> Heard:
        """Ask, and wait for the whole answer."""
        asked = self._fields(model, ask)
        messages: Any = self._sdk.messages
        if not stream:
            return self._heard(await messages.create(**asked), num_pieces=1)
        num_pieces = 0
        async with messages.stream(**asked) as events:
            async for event in events:
                num_pieces += event.type == "text"
            answer = await events.get_final_message()
        return self._heard(answer, num_pieces=num_pieces)

    async def ask_until_error(self, model: str, ask: Ask) -> tuple[str, Exception]:
        """Ask for a stream that breaks off; return the text before, and what the SDK raised."""
        text = ""
        messages: Any = self._sdk.messages
        try:
            async with messages.stream(**self._fields(model, ask)) as events:
                async for piece in events.text_stream:
                    text += piece
        except APIError as error:
            return text, error
        raise AssertionError("the stream ended as if it were whole")

    def user(self, text: str, *, image: str | None = None, pdf: str | None = None) -> Any:
        """Return a user's turn."""
        shown: list[Any] = [{"type": "text", "text": text}]
        if image is not None:
            shown.append({"type": "image", "source": _source("image/png", image)})
        if pdf is not None:
            shown.append({"type": "document", "source": _source("application/pdf", pdf)})
        return {"role": "user", "content": shown if len(shown) > 1 else text}

    def assistant(self, text: str) -> Any:
        """Return an assistant's turn."""
        return {"role": "assistant", "content": text}

    def results(self, said: list[tuple[Call, str]]) -> tuple[Any, ...]:
        """Return the turn in which the results of tools are sent back."""
        blocks = [
            {"type": "tool_result", "tool_use_id": call.call_id, "content": text}
            for call, text in said
        ]
        return ({"role": "user", "content": blocks},)

    def _fields(self, model: str, ask: Ask) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": model,
            "messages": list(ask.turns),
            "max_tokens": ask.limit,
        }
        if ask.system is not None:
            asked["system"] = ask.system
        if ask.tools:
            asked["tools"] = [{"name": t.name, "input_schema": t.schema} for t in ask.tools]
        if ask.must_call:
            asked["tool_choice"] = {"type": "tool", "name": ask.must_call}
        if ask.schema is not None:
            asked["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
        if ask.effort:
            asked["thinking"] = {
                "type": "enabled",
                "budget_tokens": _BUDGET,
                "display": "summarized",
            }
        return asked | ({"extra_body": {"temperature": 0}} if ask.is_exact else {})

    def _heard(self, answer: Any, num_pieces: int) -> Heard:
        assert (answer.type, answer.role) == ("message", "assistant")
        calls = [
            Call(block.id, block.name, block.input)
            for block in answer.content
            if block.type == "tool_use"
        ]
        back = {"role": "assistant", "content": [_sent_back(block) for block in answer.content]}
        return Heard(
            text="".join(block.text for block in answer.content if block.type == "text"),
            finish=_FINISHES[answer.stop_reason],
            calls=calls,
            thoughts="".join(b.thinking for b in answer.content if b.type == "thinking"),
            counts=_counts(answer.usage),
            num_pieces=num_pieces,
            back=(back,),
        )


def _source(media_type: str, shown: str) -> dict[str, str]:
    if shown.startswith("https:"):
        return {"type": "url", "url": shown}
    return {"type": "base64", "media_type": media_type, "data": shown}


def _sent_back(block: Any) -> Any:
    """Return a block as clients send it back: all that it holds, but for what is null."""
    said = block.to_dict(mode="json")
    drop = ("parsed_output", "caller")
    return {key: value for key, value in said.items() if value is not None and key not in drop}


def _counts(usage: Any) -> Counts:
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    return Counts(
        input=usage.input_tokens + cached + written,
        cached=cached,
        written=written,
        output=usage.output_tokens,
        reasoning=(details.thinking_tokens or 0) if details is not None else 0,
    )
