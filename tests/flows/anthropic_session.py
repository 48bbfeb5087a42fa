"""What a program with Anthropic's SDK does: run in an environment that has it, never imported.

python anthropic_session.py URL KEY MODEL     one line of JSON: what was seen
"""

import json
import sys
from typing import Any

import anthropic  # type: ignore[import-not-found,unused-ignore]

TOOL: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
AGE: Any = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


def main(url: str, key: str, model: str) -> dict[str, Any]:
    """Ask for everything; return what came."""
    client: Any = anthropic.Anthropic(
        base_url=url, api_key=key, max_retries=0, _strict_response_validation=True
    )
    story: Any = [{"role": "user", "content": "Tell me a story."}]
    seen: dict[str, Any] = {}
    plain = client.messages.create(model=model, max_tokens=16, messages=story)
    seen["plain"] = [plain.content[0].text, plain.stop_reason, plain.usage.output_tokens]
    seen["request_id"] = plain._request_id
    with client.messages.stream(model=model, max_tokens=16, messages=story) as stream:
        seen["pieces"] = len(list(stream.text_stream))
        final = stream.get_final_message()
    seen["streamed"] = [final.content[0].text, final.stop_reason, final.usage.output_tokens]
    asked: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    options = {"model": model, "max_tokens": 100, "tools": [TOOL]}
    with client.messages.stream(
        messages=asked, tool_choice={"type": "tool", "name": "weather"}, **options
    ) as stream:
        called = stream.get_final_message()
    [call] = called.content
    seen["call"] = [call.name, call.input, called.stop_reason]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "It is sunny."}
    turns = [
        *asked,
        {"role": "assistant", "content": [block.to_dict() for block in called.content]},
        {"role": "user", "content": [result]},
    ]
    after = client.messages.create(messages=turns, **options)
    seen["after"] = [block.type for block in after.content]
    formed = client.messages.create(
        model=model,
        max_tokens=60,
        messages=[{"role": "user", "content": "Anna is three years old."}],
        output_config={"format": {"type": "json_schema", "schema": AGE}},
    )
    seen["formed"] = json.loads(formed.content[0].text)
    counted = client.messages.count_tokens(model=model, messages=story)
    seen["counted"] = counted.input_tokens
    seen["beta"] = client.beta.messages.create(model=model, max_tokens=4, messages=story).type
    try:
        client.messages.create(model="nowhere", max_tokens=16, messages=story)
    except anthropic.NotFoundError as error:
        seen["error"] = [error.body["type"], error.body["error"]["type"]]
    return seen


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
