"""Chat and text completions as openai's SDK speaks them, validating strictly."""

import json
from typing import Any

from openai import (
    APIError,
    AsyncOpenAI,
    ContentFilterFinishReasonError,
    DefaultAsyncHttpxClient,
    LengthFinishReasonError,
)
from openai.lib.streaming._deltas import accumulate_delta
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from tests.matrix.asking import Ask, Call, Counts, Heard, Notes

_FINISHES = {"max_output_tokens": "length", "content_filter": "refusal"}


def open_sdk(url: str, key: str, notes: Notes, *, is_strict: bool = True) -> AsyncOpenAI:
    """Return an SDK client that does not retry."""
    return AsyncOpenAI(
        base_url=f"{url}/v1",
        api_key=key,
        max_retries=0,
        timeout=30.0,
        http_client=DefaultAsyncHttpxClient(event_hooks={"response": [notes]}),
        _strict_response_validation=is_strict,
    )


class ChatClient:
    """`client.chat.completions`."""

    def __init__(self, url: str, key: str) -> None:
        self.notes = Notes()
        self._sdk = open_sdk(url, key, self.notes)

    async def close(self) -> None:
        """Close the SDK's client."""
        await self._sdk.close()

    async def ask(self, model: str, ask: Ask, *, stream: bool) -> Heard:
        """Ask, and wait for the whole answer."""
        asked = self._fields(model, ask)
        completions: Any = self._sdk.chat.completions
        if not stream:
            answer = await completions.create(**asked)
            return self._heard(answer, num_pieces=1)
        num_pieces = 0
        options = {"include_usage": True}
        if len(ask.tools) > 1:
            return self._heard(await self._joined(asked | {"stream_options": options}), 1)
        async with completions.stream(**asked, stream_options=options) as events:
            try:
                async for event in events:
                    num_pieces += event.type == "content.delta" and bool(event.delta)
                answer = await events.get_final_completion()
            except (LengthFinishReasonError, ContentFilterFinishReasonError):
                answer = events.current_completion_snapshot  # the helper reads only whole ones
        return self._heard(answer, num_pieces=num_pieces)

    async def _joined(self, asked: dict[str, Any]) -> ChatCompletion:
        """Return a stream's answer; the SDK's helper reads no calls whose pieces come by turns."""
        joined: dict[object, object] = {"choices": []}
        create: Any = self._sdk.chat.completions.create
        async for chunk in await create(**asked, stream=True):
            said = chunk.to_dict()
            for choice in said["choices"]:
                choice["message"] = choice.pop("delta")
            accumulate_delta(joined, {"choices": said.pop("choices")})
            joined |= said
        return ChatCompletion.model_validate(joined | {"object": "chat.completion"})

    async def ask_until_error(self, model: str, ask: Ask) -> tuple[str, Exception]:
        """Ask for a stream that breaks off; return the text before, and what the SDK raised."""
        stream: Any = await self._sdk.chat.completions.create(
            **self._fields(model, ask), stream=True
        )
        text = ""
        try:
            async for chunk in stream:
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
        except APIError as error:
            return text, error
        raise AssertionError("the stream ended as if it were whole")

    def user(self, text: str, *, image: str | None = None, pdf: str | None = None) -> Any:
        """Return a user's turn."""
        shown: list[Any] = [{"type": "text", "text": text}]
        if image is not None:
            shown.append({"type": "image_url", "image_url": {"url": as_url(image)}})
        if pdf is not None:
            shown.append({"type": "file", "file": as_file(pdf)})
        return {"role": "user", "content": shown if len(shown) > 1 else text}

    def assistant(self, text: str) -> Any:
        """Return an assistant's turn."""
        return {"role": "assistant", "content": text}

    def results(self, said: list[tuple[Call, str]]) -> tuple[Any, ...]:
        """Return the turns in which the results of tools are sent back."""
        return tuple(
            {"role": "tool", "tool_call_id": call.call_id, "content": text} for call, text in said
        )

    def _fields(self, model: str, ask: Ask) -> dict[str, Any]:
        system = [] if ask.system is None else [{"role": "system", "content": ask.system}]
        asked: dict[str, Any] = {
            "model": model,
            "messages": [*system, *ask.turns],
            "max_completion_tokens": ask.limit,
        }
        if ask.tools:
            asked["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "strict": True, "parameters": tool.schema},
                }
                for tool in ask.tools
            ]
        if ask.must_call:
            asked["tool_choice"] = {"type": "function", "function": {"name": ask.must_call}}
        if ask.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": ask.schema}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        if ask.effort:
            asked["reasoning_effort"] = ask.effort
        return asked | ({"temperature": 0} if ask.is_exact else {})

    def _heard(self, answer: Any, num_pieces: int) -> Heard:
        assert answer.object == "chat.completion"
        [choice] = answer.choices
        message = choice.message
        assert message.role == "assistant"
        calls = [
            Call(call.id, call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or ()
        ]
        return Heard(
            text=message.content or message.refusal or "",
            finish="refusal" if message.refusal else finish_word(choice.finish_reason),
            calls=calls,
            thoughts=getattr(message, "reasoning_content", None)
            or getattr(message, "reasoning", None)
            or "",
            counts=_chat_counts(answer.usage),
            num_pieces=num_pieces,
            back=(sent_back(message),),
        )


class TextClient:
    """`client.completions`; its type of a stream's pieces knows no piece that does not end it."""

    def __init__(self, url: str, key: str) -> None:
        self.notes = Notes()
        self._sdk = open_sdk(url, key, self.notes)
        self._lenient = open_sdk(url, key, self.notes, is_strict=False)

    async def close(self) -> None:
        """Close the SDK's clients."""
        await self._sdk.close()
        await self._lenient.close()

    async def ask(self, model: str, ask: Ask, *, stream: bool) -> Heard:
        """Ask, and wait for the whole answer."""
        asked = self._fields(model, ask)
        if not stream:
            answer: Any = await self._sdk.completions.create(**asked)
            [choice] = answer.choices
            counts = _chat_counts(answer.usage)
            return Heard(text=choice.text, finish=finish_word(choice.finish_reason), counts=counts)
        options = {"include_usage": True}
        pieces: list[str] = []
        finishes, usages = [], []
        create: Any = self._lenient.completions.create
        async for chunk in await create(**asked, stream=True, stream_options=options):
            assert chunk.object == "text_completion"
            usages += [chunk.usage] if chunk.usage is not None else []
            pieces += [choice.text for choice in chunk.choices if choice.text]
            finishes += [choice.finish_reason for choice in chunk.choices if choice.finish_reason]
        [finish], [usage] = finishes, usages
        return Heard(
            text="".join(pieces),
            finish=finish_word(finish),
            counts=_chat_counts(usage),
            num_pieces=len(pieces),
        )

    async def ask_until_error(self, model: str, ask: Ask) -> tuple[str, Exception]:
        """Ask for a stream that breaks off; return the text before, and what the SDK raised."""
        text = ""
        create: Any = self._lenient.completions.create
        try:
            async for chunk in await create(**self._fields(model, ask), stream=True):
                text += "".join(choice.text for choice in chunk.choices)
        except APIError as error:
            return text, error
        raise AssertionError("the stream ended as if it were whole")

    def user(self, text: str, *, image: str | None = None, pdf: str | None = None) -> Any:
        """Return what is asked; a picture has no place in it."""
        shown = image or pdf
        return text if shown is None else {"type": "input_image", "image_url": as_url(shown)}

    def assistant(self, text: str) -> Any:
        """Return what was answered."""
        return text

    def results(self, said: list[tuple[Call, str]]) -> tuple[Any, ...]:
        """Return the results as text, which is all that there is."""
        return tuple(text for _, text in said)

    def _fields(self, model: str, ask: Ask) -> dict[str, Any]:
        turns = [ask.system, *ask.turns] if ask.system else list(ask.turns)
        is_text = all(isinstance(turn, str) for turn in turns)
        more: dict[str, Any] = {}
        if ask.tools:
            more["tools"] = [{"type": "function", "function": {"name": t.name}} for t in ask.tools]
        if ask.schema is not None:
            more["response_format"] = {"type": "json_object"}
        if ask.effort:
            more = {"reasoning_effort": ask.effort}
        return {
            "model": model,
            "prompt": "\n\n".join(turns) if is_text else turns,
            "max_tokens": ask.limit,
            "extra_body": more,
        } | ({"temperature": 0} if ask.is_exact else {})


def finish_word(reason: str) -> str:
    """Return why an answer ended, in the words of Heard."""
    return _FINISHES.get(reason, reason)


def as_url(image: str) -> str:
    """Return a picture's address, or its data as one."""
    return image if image.startswith("https:") else f"data:image/png;base64,{image}"


def as_file(pdf: str) -> dict[str, str]:
    """Return what both dialects say of a document."""
    return {"filename": "page.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}


def sent_back(model: Any) -> Any:
    """Return an answer as clients send it back: all that it holds, but for what is null."""
    said = model.to_dict(mode="json")
    for call in said.get("tool_calls") or ():
        call.get("function", {}).pop("parsed_arguments", None)
    drop = ("parsed", "parsed_arguments")
    return {key: value for key, value in said.items() if value is not None and key not in drop}


def _chat_counts(usage: CompletionUsage | None) -> Counts | None:
    if usage is None:
        return None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    read, wrote = usage.prompt_tokens_details, usage.completion_tokens_details
    return Counts(
        input=usage.prompt_tokens,
        cached=(read.cached_tokens or 0) if read else 0,
        written=getattr(read, "cache_write_tokens", None) or 0,
        output=usage.completion_tokens,
        reasoning=(wrote.reasoning_tokens or 0) if wrote else 0,
    )
