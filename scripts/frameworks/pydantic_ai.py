"""Pydantic AI on Slipstream: the provider's `base_url` and `api_key` are all that differs.

python -m scripts.frameworks.pydantic_ai    in an environment of constraints/frameworks
"""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_ai import Agent, AgentStreamEvent, ModelSettings, RunContext, ToolReturnPart
from pydantic_ai.agent import EventStreamHandler
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from scripts.frameworks.trying import (
    KEY,
    PERSON_TEXT,
    QUESTION,
    URL,
    WEATHER_QUESTION,
    Way,
    try_out,
)


def open_chat(model: str, **settings: Any) -> Model:
    """Return a model that is asked through Chat Completions."""
    provider = OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY)
    return OpenAIChatModel(model, provider=provider, settings=settings)


def open_responses(model: str, **settings: Any) -> Model:
    """Return a model that is asked through Responses."""
    provider = OpenAIProvider(base_url=f"{URL}/v1", api_key=KEY)
    return OpenAIResponsesModel(model, provider=provider, settings=settings)


def open_messages(model: str, **settings: Any) -> Model:
    """Return a model that is asked through Anthropic's Messages; its URL has no `/v1`."""
    provider = AnthropicProvider(base_url=URL, api_key=KEY)
    return AnthropicModel(model, provider=provider, settings=settings)


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Tell what the weather in a city is."""
    return f"It is sunny in {city}."


class Person(BaseModel):
    """A person that a text speaks of."""

    name: Literal["Anna", "Bert"]
    age: int


def chat(model: Model) -> Any:
    """Ask one question."""
    answer = Agent(model).run_sync(QUESTION)
    return {"text": answer.output}


def stream(model: Model) -> Any:
    """Ask one question and read the answer as it comes."""

    async def read() -> list[str]:
        async with Agent(model).run_stream(QUESTION) as answer:
            return [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]

    return {"pieces": asyncio.run(read())}


def tools(model: Model, is_forced: bool, handler: EventStreamHandler[None] | None = None) -> Any:
    """Let the agent call a tool, and answer with what the tool returned."""

    def forced_at_first(run: RunContext[None]) -> ModelSettings:
        return ModelSettings(tool_choice="required" if is_forced and run.run_step == 1 else "auto")

    agent = Agent(model, tools=[get_weather], model_settings=forced_at_first)
    answer = agent.run_sync(WEATHER_QUESTION, event_stream_handler=handler)
    parts = [part for message in answer.all_messages() for part in message.parts]
    results = [part.content for part in parts if isinstance(part, ToolReturnPart)]
    return {"results": results, "text": answer.output}


def streamed_tools(model: Model, is_forced: bool) -> Any:
    """Do the same with answers that are streamed, as whoever watches their events sees them."""
    kinds = set()

    async def watch(run: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
        async for event in events:
            kinds.add(event.event_kind)

    said = tools(model, is_forced, handler=watch)
    assert "part_start" in kinds, kinds
    return said


def structured(model: Model) -> Any:
    """Take an object out of a text."""
    answer = Agent(model, output_type=Person).run_sync(PERSON_TEXT)
    return {"person": answer.output.model_dump()}


STEPS: dict[str, Callable[..., Any]] = {
    "chat": chat,
    "stream": stream,
    "tools": tools,
    "streamed tools": streamed_tools,
    "structured": structured,
}

if __name__ == "__main__":
    try_out(
        ["pydantic-ai-slim", "openai", "anthropic"],
        {
            "OpenAIChatModel": Way(open_chat, STEPS),
            "OpenAIResponsesModel": Way(open_responses, STEPS),
            "AnthropicModel": Way(open_messages, STEPS),
        },
    )
