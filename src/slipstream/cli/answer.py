"""One streamed answer through the official openai SDK, with what it took: times, tokens, headers.

Used by `demo` and `chat`: what they show is what any client of the gateway would see.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from slipstream.errors import GatewayError

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

Message = Mapping[Literal["role", "content"], str]


class AskFailed(GatewayError):
    """The gateway refused, broke off or was not there; the text says what it said.

    Args:
        answer_status: Of its answer; None if there was none.
    """

    def __init__(self, message: str, answer_status: int | None = None) -> None:
        super().__init__(message)
        self.answer_status = answer_status


class SdkMissing(GatewayError):
    """The openai package is not installed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question brought.

    Args:
        first_token_s: From the request to the first piece of text; None if there was no text.
        total_s: From the request to the end.
        input_tokens: As the gateway reported them; None if it did not.
        headers: Of the answer, names in lower case.
    """

    text: str
    finish_reason: str | None
    first_token_s: float | None
    total_s: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens after the first one, by the time that they took."""
        if self.first_token_s is None or self.output_tokens is None or self.output_tokens < 2:
            return None
        return (self.output_tokens - 1) / max(self.total_s - self.first_token_s, 1e-6)


class Asker:
    """The SDK, pointed at a gateway.

    Raises:
        SdkMissing: At construction, when the openai package is not installed.
    """

    def __init__(self, base_url: str, api_key: str, timeout_s: float = 120.0) -> None:
        try:
            import openai  # heavy: half a second, and part of the extra `client`
        except ImportError as exc:
            raise SdkMissing(
                "the openai package is not installed: pip install 'slipstream[client]'"
            ) from exc
        self._failures = openai.OpenAIError
        self._omit = openai.omit
        self._sdk = openai.OpenAI(
            base_url=f"{base_url.rstrip('/').removesuffix('/v1')}/v1",
            api_key=api_key,
            timeout=timeout_s,
            max_retries=0,
        )

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *exc: object) -> None:
        self._sdk.close()

    def models(self) -> list[str]:
        """Return the ids of the models that the gateway offers, in its order."""
        try:
            return [model.id for model in self._sdk.models.list()]
        except self._failures as exc:
            raise self._readable(exc) from exc

    def ask(
        self,
        model: str,
        messages: Iterable[Message],
        write: Callable[[str], None],
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Answer:
        """Stream an answer; `write` is called with each piece of text as it comes.

        Raises:
            AskFailed: Nothing or only a part was written.
        """
        started_at_s = time.perf_counter()
        try:
            response = self._sdk.chat.completions.with_raw_response.create(
                model=model,
                messages=cast("list[ChatCompletionMessageParam]", list(messages)),
                stream=True,
                stream_options={"include_usage": True},
                max_tokens=self._omit if max_tokens is None else max_tokens,
                temperature=self._omit if temperature is None else temperature,
            )
            headers = {name.lower(): value for name, value in response.headers.items()}
            with response.parse() as chunks:
                return _collect(chunks, write, started_at_s, headers)
        except self._failures as exc:
            raise self._readable(exc) from exc

    def _readable(self, exc: Exception) -> AskFailed:
        """Say in one line what the SDK met: the gateway's own words, where it sent some."""
        body = getattr(exc, "body", None)
        said = body.get("message") if isinstance(body, dict) else None
        status = getattr(exc, "status_code", None)
        text = str(said or exc.__cause__ or exc).strip().splitlines()[0]
        if status is None:
            return AskFailed(f"{self._sdk.base_url}: {text}")
        return AskFailed(f"{text} (status {status})", status)


def _collect(
    chunks: Iterable[Any],
    write: Callable[[str], None],
    started_at_s: float,
    headers: Mapping[str, str],
) -> Answer:
    pieces: list[str] = []
    first_token_s: float | None = None
    finish_reason: str | None = None
    usage: Any = None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices[:1]:
            finish_reason = choice.finish_reason or finish_reason
            text = choice.delta.content or ""
            if text and first_token_s is None:
                first_token_s = time.perf_counter() - started_at_s
            if text:
                pieces.append(text)
                write(text)
    return Answer(
        text="".join(pieces),
        finish_reason=finish_reason,
        first_token_s=first_token_s,
        total_s=time.perf_counter() - started_at_s,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
        headers=headers,
    )
