"""Responses as openai's SDK speaks it, validating strictly."""

import json
from typing import Any

from tests.matrix.asking import Ask, Call, Counts, Heard, Notes
from tests.matrix.openai_clients import as_file, as_url, finish_word, open_sdk, sent_back


class ResponsesClient:
    """`client.responses`."""

    def __init__(self, url: str, key: str) -> None:
        self.notes = Notes()
        self._sdk = open_sdk(url, key, self.notes)

    async def close(self) -> None:
        """Close the SDK's client."""
        await self._sdk.close()

    async def ask(self, model: str, ask: Ask, *, stream: bool) -> Heard:
        """Ask, and wait for the whole answer."""
        asked = self._fields(model, ask)
        responses: Any = self._sdk.responses
        if not stream:
            return self._heard(await responses.create(**asked), num_pieces=1)
        seen: list[Any] = []
        async with responses.stream(**asked) as events:
            async for event in events:
                seen.append(event)
        assert [event.sequence_number for event in seen] == list(range(len(seen)))
        assert seen[-1].type in ("response.completed", "response.incomplete")
        answer = seen[-1].response
        pieces = [event.delta for event in seen if event.type == "response.output_text.delta"]
        assert "".join(pieces) == answer.output_text
        return self._heard(answer, num_pieces=len(pieces))

    async def ask_until_error(self, model: str, ask: Ask) -> tuple[str, Exception]:
        """Ask for a stream that breaks off; return the text before, and what the SDK raised.

        The dialect ends it with an event, which only the SDK's helper takes for an error.
        """
        text, last = "", None
        responses: Any = self._sdk.responses
        async with responses.stream(**self._fields(model, ask)) as events:
            async for event in events:
                last = event
                text += event.delta if event.type == "response.output_text.delta" else ""
            assert last is not None
            assert last.type in ("response.failed", "error")
            if last.type == "response.failed":
                assert (last.response.status, last.response.output_text) == ("failed", text)
            assert last.message if last.type == "error" else last.response.error.message
            try:
                await events.get_final_response()
            except RuntimeError as error:
                return text, error
        raise AssertionError("the stream ended as if it were whole")

    def user(self, text: str, *, image: str | None = None, pdf: str | None = None) -> Any:
        """Return a user's turn."""
        shown: list[Any] = [{"type": "input_text", "text": text}]
        if image is not None:
            said = {"detail": "auto", "image_url": as_url(image)}
            shown.append({"type": "input_image", **said})
        if pdf is not None:
            shown.append({"type": "input_file", **as_file(pdf)})
        return {"role": "user", "content": shown if len(shown) > 1 else text}

    def assistant(self, text: str) -> Any:
        """Return an assistant's turn."""
        return {"role": "assistant", "content": text}

    def results(self, said: list[tuple[Call, str]]) -> tuple[Any, ...]:
        """Return the items in which the results of tools are sent back."""
        return tuple(
            {"type": "function_call_output", "call_id": call.call_id, "output": text}
            for call, text in said
        )

    def _fields(self, model: str, ask: Ask) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": model,
            "input": list(ask.turns),
            "max_output_tokens": ask.limit,
            "store": False,
        }
        if ask.system is not None:
            asked["instructions"] = ask.system
        if ask.tools:
            asked["tools"] = [
                {"type": "function", "name": t.name, "strict": True, "parameters": t.schema}
                for t in ask.tools
            ]
        if ask.must_call:
            asked["tool_choice"] = {"type": "function", "name": ask.must_call}
        if ask.schema is not None:
            form = {"type": "json_schema", "name": "answer", "strict": True, "schema": ask.schema}
            asked["text"] = {"format": form}
        if ask.effort:
            asked["reasoning"] = {"effort": ask.effort, "summary": "auto"}
            asked["include"] = ["reasoning.encrypted_content"]
        return asked | ({"temperature": 0} if ask.is_exact else {})

    def _heard(self, answer: Any, num_pieces: int) -> Heard:
        items = answer.output
        calls = [
            Call(item.call_id, item.name, json.loads(item.arguments))
            for item in items
            if item.type == "function_call"
        ]
        thoughts = [item for item in items if item.type == "reasoning"]
        said = [part for item in thoughts for part in (*item.summary, *(item.content or ()))]
        details = answer.incomplete_details
        parts = [part for item in items if item.type == "message" for part in item.content]
        refusal = "".join(part.refusal for part in parts if part.type == "refusal")
        finish = "tool_calls" if calls else "refusal" if refusal else "stop"
        if details is not None:
            finish = finish_word(details.reason)
        assert answer.status == ("completed" if details is None else "incomplete")
        return Heard(
            text=answer.output_text or refusal,
            finish=finish,
            calls=calls,
            thoughts="".join(part.text for part in said),
            counts=_responses_counts(answer.usage),
            num_pieces=num_pieces,
            back=tuple(sent_back(item) for item in items),
        )


def _responses_counts(usage: Any) -> Counts:
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    return Counts(
        input=usage.input_tokens,
        cached=usage.input_tokens_details.cached_tokens,
        written=usage.input_tokens_details.cache_write_tokens,
        output=usage.output_tokens,
        reasoning=usage.output_tokens_details.reasoning_tokens,
    )
