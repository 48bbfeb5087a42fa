"""instructor on Slipstream: the client that it patches has another `base_url` and `api_key`.

python -m scripts.frameworks.instructor    in an environment of constraints/frameworks
"""

import json
from typing import Any, Literal

import anthropic
import instructor
import openai
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


def open_tools(model: str, **settings: Any) -> instructor.Instructor:
    """Return a client that gets objects as arguments of a forced tool call, through Chat."""
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY)
    return instructor.from_openai(client, mode=instructor.Mode.TOOLS, model=model, **settings)


def open_json_schema(model: str, **settings: Any) -> instructor.Instructor:
    """Return a client that gets objects as JSON of a schema, through Chat."""
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY)
    return instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA, model=model, **settings)


def open_messages(model: str, max_tokens: int = 1000, **more: Any) -> instructor.Instructor:
    """Return a client that gets objects as arguments of a forced tool call, through Messages.

    What Anthropic's SDK has no argument for, such as `temperature`, goes into `extra_body`.
    """
    client = anthropic.Anthropic(base_url=URL, api_key=KEY)
    return instructor.from_anthropic(client, model=model, max_tokens=max_tokens, extra_body=more)


class GetWeather(BaseModel):
    """Tell what the weather in a city is."""

    city: Literal["Paris", "Rome"]


class Person(BaseModel):
    """A person that a text speaks of."""

    name: Literal["Anna", "Bert"]
    age: int


def said_by(text: str) -> dict[str, Any]:
    """Return a user's message."""
    return {"role": "user", "content": text}


def text_of(answer: anthropic.types.Message) -> str:
    """Return what a message says; a model that thinks puts a block of thinking before it."""
    return "".join(block.text for block in answer.content if block.type == "text")


def chat(client: instructor.Instructor) -> Any:
    """Ask one question, without an object in the answer."""
    answer = client.create(response_model=None, messages=[said_by(QUESTION)])
    return {"text": answer.choices[0].message.content}


def chat_messages(client: instructor.Instructor) -> Any:
    """Ask one question, without an object in the answer; it is Anthropic's."""
    answer = client.create(response_model=None, messages=[said_by(QUESTION)])
    return {"text": text_of(answer)}


def stream(client: instructor.Instructor) -> Any:
    """Take an object out of a text, and see it become whole."""
    partial = client.create_partial(response_model=Person, messages=[said_by(PERSON_TEXT)])
    return {"objects": [person.model_dump() for person in partial]}


def tools(client: instructor.Instructor, is_forced: bool) -> Any:
    """Get a call, and answer with what the tool returned. Calls are always forced."""
    messages = [said_by(WEATHER_QUESTION)]
    wish, asked = client.create_with_completion(response_model=GetWeather, messages=messages)
    result = f"It is sunny in {wish.city}."
    message = asked.choices[0].message
    [call] = message.tool_calls
    messages.append(message.model_dump(include={"role", "content", "tool_calls"}))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    answer = client.create(response_model=None, messages=messages)
    return {"results": [result], "text": answer.choices[0].message.content}


def tools_messages(client: instructor.Instructor, is_forced: bool) -> Any:
    """Get a call, and answer with what the tool returned, as Anthropic's SDK says it."""
    messages = [said_by(WEATHER_QUESTION)]
    wish, asked = client.create_with_completion(response_model=GetWeather, messages=messages)
    result = f"It is sunny in {wish.city}."
    [call] = [block for block in asked.content if block.type == "tool_use"]
    told = {"type": "tool_result", "tool_use_id": call.id, "content": result}
    messages.append({"role": "assistant", "content": asked.content})
    messages.append({"role": "user", "content": [told]})
    answer = client.create(response_model=None, messages=messages, tools=[])
    return {"results": [result], "text": text_of(answer)}


def structured(client: instructor.Instructor) -> Any:
    """Take an object out of a text."""
    person = client.create(response_model=Person, messages=[said_by(PERSON_TEXT)])
    return {"person": json.loads(person.model_dump_json())}


OBJECTS = {"stream": stream, "structured": structured}

if __name__ == "__main__":
    try_out(
        ["instructor", "openai", "anthropic"],
        {
            "OpenAI, TOOLS": Way(open_tools, {"chat": chat, "tools": tools, **OBJECTS}),
            "OpenAI, JSON_SCHEMA": Way(open_json_schema, {"chat": chat, **OBJECTS}),
            "Anthropic, TOOLS": Way(
                open_messages, {"chat": chat_messages, "tools": tools_messages, **OBJECTS}
            ),
        },
    )
