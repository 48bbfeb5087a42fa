"""LangChain on Slipstream: `base_url` and `api_key` are all that differs.

python -m scripts.frameworks.langchain    in an environment of constraints/frameworks
"""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    message_chunk_to_message,
)
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
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

Ask = Callable[[Runnable, list[BaseMessage]], Any]


def open_chat(model: str, **settings: Any) -> BaseChatModel:
    """Return a model that is asked through Chat Completions."""
    return ChatOpenAI(model=model, base_url=f"{URL}/v1", api_key=KEY, **settings)


def open_responses(model: str, **settings: Any) -> BaseChatModel:
    """Return a model that is asked through Responses."""
    return ChatOpenAI(
        model=model, base_url=f"{URL}/v1", api_key=KEY, use_responses_api=True, **settings
    )


def open_messages(model: str, **settings: Any) -> BaseChatModel:
    """Return a model that is asked through Anthropic's Messages; its URL has no `/v1`."""
    return ChatAnthropic(model=model, base_url=URL, api_key=KEY, **settings)


@tool
def get_weather(city: Literal["Paris", "Rome"]) -> str:
    """Tell what the weather in a city is."""
    return f"It is sunny in {city}."


class Person(BaseModel):
    """A person that a text speaks of."""

    name: Literal["Anna", "Bert"]
    age: int


def chat(llm: BaseChatModel) -> Any:
    """Ask one question."""
    answer = llm.invoke(QUESTION)
    return {"text": answer.text, "usage": answer.usage_metadata}


def stream(llm: BaseChatModel) -> Any:
    """Ask one question and read the answer as it comes."""
    pieces, whole = [], AIMessageChunk(content="")
    for chunk in llm.stream(QUESTION):
        pieces.append(chunk.text)
        whole += chunk
    return {"pieces": pieces, "usage": whole.usage_metadata}


def invoke(llm: Runnable, messages: list[BaseMessage]) -> BaseMessage:
    """Return a plain answer."""
    return llm.invoke(messages)


def gather(llm: Runnable, messages: list[BaseMessage]) -> BaseMessage:
    """Return the answer that a stream's chunks make."""
    return message_chunk_to_message(reduce(operator.add, llm.stream(messages)))


def tools(llm: BaseChatModel, is_forced: bool, ask: Ask = invoke) -> Any:
    """Let the model call a tool, and answer with what the tool returned."""
    messages: list[BaseMessage] = [HumanMessage(WEATHER_QUESTION)]
    choice = "any" if is_forced else "auto"
    asked = ask(llm.bind_tools([get_weather], tool_choice=choice), messages)
    messages.append(asked)
    messages += [get_weather.invoke(call) for call in asked.tool_calls]
    answer = ask(llm.bind_tools([get_weather]), messages)
    results = [message.text for message in messages[2:]]
    return {"results": results, "text": answer.text}


def streamed_tools(llm: BaseChatModel, is_forced: bool) -> Any:
    """Do the same with answers that are put together from streams."""
    return tools(llm, is_forced, ask=gather)


def structured(llm: BaseChatModel) -> Any:
    """Take an object out of a text."""
    person = llm.with_structured_output(Person).invoke(PERSON_TEXT)
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
        ["langchain-core", "langchain-openai", "langchain-anthropic", "openai", "anthropic"],
        {
            "ChatOpenAI": Way(open_chat, STEPS),
            "ChatOpenAI, Responses": Way(open_responses, STEPS),
            "ChatAnthropic": Way(open_messages, STEPS),
        },
    )
