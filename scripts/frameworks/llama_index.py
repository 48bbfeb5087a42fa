"""LlamaIndex on Slipstream: `api_base` or `base_url`, and `api_key`, are all that differs.

python -m scripts.frameworks.llama_index    in an environment of constraints/frameworks
"""

from collections.abc import Callable
from typing import Any, Literal

from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from scripts.frameworks.trying import (
    KEY,
    PERSON_TEXT,
    QUESTION,
    URL,
    WEATHER_QUESTION,
    Way,
    try_out,
)

Ask = Callable[..., ChatResponse]


def open_chat(model: str, **settings: Any) -> FunctionCallingLLM:
    """Return a model that is asked through Chat Completions; what it can do has to be said."""
    return OpenAILike(
        model=model,
        api_base=f"{URL}/v1",
        api_key=KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        context_window=8192,
        **settings,
    )


def open_messages(model: str, **settings: Any) -> FunctionCallingLLM:
    """Return a model that is asked through Messages; only names of Claude are known to it."""
    return Anthropic(model=model, base_url=URL, api_key=KEY, **settings)


def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Tell what the weather in a city is."""
    return f"It is sunny in {city}."


class Person(BaseModel):
    """A person that a text speaks of."""

    name: Literal["Anna", "Bert"]
    age: int


def chat(llm: FunctionCallingLLM) -> Any:
    """Ask one question."""
    answer = llm.chat([ChatMessage(role="user", content=QUESTION)])
    return {"text": answer.message.content}


def stream(llm: FunctionCallingLLM) -> Any:
    """Ask one question and read the answer as it comes."""
    chunks = llm.stream_chat([ChatMessage(role="user", content=QUESTION)])
    return {"pieces": [chunk.delta or "" for chunk in chunks]}


def tools(
    llm: FunctionCallingLLM, is_forced: bool, ask: Ask = FunctionCallingLLM.chat_with_tools
) -> Any:
    """Let the model call a tool, and answer with what the tool returned."""
    tool = FunctionTool.from_defaults(get_weather)
    messages = [ChatMessage(role="user", content=WEATHER_QUESTION)]
    asked = ask(llm, [tool], chat_history=messages, tool_required=is_forced)
    messages.append(asked.message)
    results = []
    for call in llm.get_tool_calls_from_response(asked):
        results.append(tool(**call.tool_kwargs).content)
        told = {"tool_call_id": call.tool_id}
        messages.append(ChatMessage(role="tool", content=results[-1], additional_kwargs=told))
    answer = ask(llm, [tool], chat_history=messages)
    return {"results": results, "text": answer.message.content}


def streamed_tools(llm: FunctionCallingLLM, is_forced: bool) -> Any:
    """Do the same with answers that are put together from streams."""
    return tools(llm, is_forced, ask=gather)


def gather(llm: FunctionCallingLLM, *tools: Any, **said: Any) -> ChatResponse:
    """Return the last state of an answer, which holds all of it."""
    *_, last = llm.stream_chat_with_tools(*tools, **said)
    return last


def structured(llm: FunctionCallingLLM) -> Any:
    """Take an object out of a text."""
    person = llm.as_structured_llm(Person).complete(PERSON_TEXT).raw
    return {"person": person.model_dump()}


STEPS: dict[str, Callable[..., Any]] = {
    "chat": chat,
    "stream": stream,
    "tools": tools,
    "streamed tools": streamed_tools,
    "structured": structured,
}

if __name__ == "__main__":
    try_out(
        [
            "llama-index-core",
            "llama-index-llms-openai-like",
            "llama-index-llms-anthropic",
            "openai",
            "anthropic",
        ],
        {
            "OpenAILike": Way(open_chat, STEPS),
            "Anthropic": Way(open_messages, STEPS, named="claude"),
        },
    )
