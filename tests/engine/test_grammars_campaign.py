"""Random demands at the real model at a temperature of 1.5: whatever it says is what was asked.

A few of each here; SLIPSTREAM_CAMPAIGN=1000 asks for as many schemas, and a fifth of that of tools.
"""

import json
import os
from collections import Counter
from random import Random
from typing import Any, Final

from slipstream.engine.grammar_spec import JsonSchema, Tool, ToolUse
from slipstream.engine.protocol import ChatMessage, Generate
from slipstream.wire.cerebras.schema import find_schema_fault
from tests.engine.campaign import answer_all, embedded, faults
from tests.engine.random_schemas import random_strict_schema, random_tools

NUM_SCHEMAS: Final = int(os.environ.get("SLIPSTREAM_CAMPAIGN", "10"))
NUM_TOOL_SETS: Final = max(NUM_SCHEMAS // 5, 4)
FIRST_SEED: Final = int(os.environ.get("SLIPSTREAM_CAMPAIGN_SEED", "0"))
MAX_TOKENS: Final = 300
ASK: Final = (ChatMessage("user", "Tell me of a city, as JSON."),)


def asked(seed: int, **fields: Any) -> Generate:
    """Return a request that is drawn at a high temperature."""
    return Generate(
        request_id=seed,
        messages=ASK,
        temperature=1.5,
        seed=seed,
        max_tokens=MAX_TOKENS,
        **fields,
    )


def test_strict_schemas_at_random_give_valid_documents() -> None:
    """Every answer is a valid document, its keys in the schema's order: none is cut off."""
    seeds = range(FIRST_SEED, FIRST_SEED + NUM_SCHEMAS)
    schemas = [random_strict_schema(Random(seed)) for seed in seeds]
    assert [find_schema_fault(schema) for schema in schemas] == [None] * NUM_SCHEMAS
    answers = answer_all(
        (
            asked(seed, form=JsonSchema(json.dumps(schema)))
            for seed, schema in zip(seeds, schemas, strict=True)
        ),
        embedded(),
    )

    finishes = Counter(answer.finish for answer in answers)
    print(f"{NUM_SCHEMAS} schemas: {dict(finishes)}")
    wrong = [
        (seed, fault, answer.text, json.dumps(schema))
        for seed, answer, schema in zip(seeds, answers, schemas, strict=True)
        for fault in ([answer.failed.message] if answer.failed else faults(answer.text, schema))
    ]
    assert wrong == []
    assert finishes == {"stop": NUM_SCHEMAS}


def test_required_strict_tools_at_random_give_valid_calls() -> None:
    """Every answer is calls of the tools that were offered, with arguments as they say."""
    seeds = range(FIRST_SEED, FIRST_SEED + NUM_TOOL_SETS)
    offered = [random_tools(Random(seed)) for seed in seeds]
    uses = [
        ToolUse(
            tools=tuple(
                Tool(name, "", json.dumps(parameters), is_strict=True) for name, parameters in tools
            ),
            choice="required",
            is_parallel=seed % 2 == 0,
        )
        for seed, tools in zip(seeds, offered, strict=True)
    ]
    answers = answer_all(
        (asked(seed, tool_use=use) for seed, use in zip(seeds, uses, strict=True)), embedded()
    )

    finishes = Counter(answer.finish for answer in answers)
    num_calls = sum(len(answer.calls) for answer in answers)
    print(f"{NUM_TOOL_SETS} tool sets: {dict(finishes)}, {num_calls} calls")
    for seed, answer, tools, use in zip(seeds, answers, offered, uses, strict=True):
        assert answer.failed is None, (seed, answer.failed)
        for call in answer.calls:
            assert list(faults(call.arguments, dict(tools)[call.name])) == [], (seed, call)
        assert (answer.finish, answer.text) == ("tool_calls", ""), seed
        assert len(answer.calls) >= 1, seed
        assert use.is_parallel or len(answer.calls) == 1, seed
