"""Many requests at the real model at once, in process, and what to check their answers by."""

import decimal
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Final

import jsonschema

from slipstream.engine.blocks import BlockPool
from slipstream.engine.engine import Engine
from slipstream.engine.loading import load_model
from slipstream.engine.model import LoadedModel
from slipstream.engine.protocol import (
    Delta,
    Failed,
    Finished,
    FromChild,
    Generate,
    Started,
    Stats,
    ToolCall,
)
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import GatewayError
from tests.prepared_model import prepared_directory

_AT_ONCE: Final = 32
_DIGITS: Final = 3000  # of a number that is compared exactly
_MOST_EXPONENT: Final = 9999


@dataclass
class Answered:
    """What came of one request: one choice of it."""

    text: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    finish: str | None = None
    started: Started | None = None
    end: Finished | None = None
    failed: Failed | None = None

    def add(self, message: FromChild) -> None:
        """Take the next message."""
        match message:
            case Started():
                self.started = message
            case Delta():
                self.deltas.append(message)
                self.text += message.text
                self.reasoning += message.reasoning
                self.finish = message.finish or self.finish
                if message.tool_call is not None:
                    self.calls.append(message.tool_call)
            case Finished():
                self.end = message
            case Failed():
                self.failed = message


class House:
    """An engine over a loaded model, with queues of its own, worked by whoever asks."""

    def __init__(
        self, model: LoadedModel, *, num_blocks: int | None = None, at_once: int = _AT_ONCE
    ) -> None:
        num_blocks = num_blocks or model.pool.num_blocks
        self.model, self.pool = model, BlockPool(num_blocks, ttl_s=300.0)
        limits = Limits(at_once, 100_000, max_batch_tokens=512, mixed_prompt_tokens=64)
        self.scheduler = Scheduler(self.pool, limits)
        self.engine = Engine(
            model.runner,
            self.scheduler,
            self.pool,
            model.costs,
            emit=self._take,
            clock=time.monotonic,
        )
        self._answers: dict[int, list[Answered]] = {}
        self._num_asked = 0
        self.stats: Stats | None = None

    def ask(self, asked: Generate) -> Answered:
        """Hand in a request with one choice; its answer grows while `work` is called."""
        return self.ask_many(asked)[0]

    def ask_many(self, asked: Generate) -> list[Answered]:
        """Hand in a request; return the answer of each of its choices."""
        answers = [Answered() for _ in range(asked.num_choices)]
        self._num_asked += 1
        key = self._num_asked
        self._answers[key] = answers
        now_s = time.monotonic()
        try:
            request = self.model.make_request(asked, key=key, reply=key, now_s=now_s)
        except GatewayError as error:
            answers[0].add(Failed.of(key, error))
        else:
            self.engine.submit(request)
        return answers

    def work(self) -> None:
        """Work until all is answered."""
        self.turn()
        while not self.scheduler.is_idle:
            self.engine.turn()
        self.scheduler.check_integrity()

    def turn(self) -> None:
        """Make one step, if there is one to make."""
        self.engine.probe("probe", 0)  # so that an idle engine does not wait for us
        self.engine.turn()

    def _take(self, pairs: list[tuple[object, FromChild]]) -> None:
        for key, message in pairs:
            if isinstance(message, Stats):
                self.stats = message
            elif isinstance(key, int) and isinstance(message, Delta):
                self._answers[key][message.choice].add(message)
            elif isinstance(key, int):
                for answer in self._answers[key]:
                    answer.add(message)


@cache
def embedded() -> LoadedModel:
    """Load the embedded model once for all tests."""
    return loaded()


def loaded(**settings: Any) -> LoadedModel:
    """Load the embedded model with settings."""
    given = {"kv_cache_bytes": 1024 * MIB, **settings}
    model = load_model(prepared_directory(), EngineSettings(**given))
    assert isinstance(model, LoadedModel)
    return model


def answer_all(asked: Iterable[Generate], model: LoadedModel) -> list[Answered]:
    """Answer many requests, as many at once as the engine takes."""
    house = House(model)
    answers = [house.ask(each) for each in asked]
    house.work()
    return answers


def read_document(text: str) -> Any:
    """Return a JSON document, with exact numbers; a key that comes twice is an error."""
    return json.loads(text, parse_float=_number, parse_int=Decimal, object_pairs_hook=_pairs)


def faults(text: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a document: its form, its values, the order of its keys."""
    try:
        document = read_document(text)
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    exact = json.loads(json.dumps(schema), parse_float=Decimal, parse_int=Decimal)
    with decimal.localcontext(prec=_DIGITS):
        found = next(iter(_Validator(exact).iter_errors(document)), None)
    if found is not None:
        yield found.message
        return
    if not _is_in_order(document, schema, schema.get("$defs", {})):
        yield "the keys are not in the schema's order"


def _number(text: str) -> Decimal:
    """Return a number; one whose exponent no machine can hold is as large, or small, as can be."""
    try:
        return Decimal(text)
    except decimal.InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
        return Decimal(f"{mantissa}e{'-' if exponent.startswith('-') else ''}{_MOST_EXPONENT}")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, Decimal) and value == value.to_integral_value()


_TYPES: Final = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
_Validator: Final = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, type_checker=_TYPES
)


def _is_in_order(value: Any, schema: Any, defs: dict[str, Any]) -> bool:
    """Whether some reading of a value by a schema has all keys in the schema's order."""
    if not isinstance(schema, dict):
        return True
    if "$ref" in schema:
        return _is_in_order(value, defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return any(
            _allows(value, each, defs) and _is_in_order(value, each, defs)
            for each in schema["anyOf"]
        )
    if isinstance(value, dict) and "properties" in schema:
        listed = schema["properties"]
        places = [list(listed).index(key) for key in value]
        return places == sorted(places) and all(
            _is_in_order(each, listed[key], defs) for key, each in value.items()
        )
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = [schema.get("items")] * max(len(value) - len(first), 0)
        return all(
            _is_in_order(each, inner, defs)
            for each, inner in zip(value, [*first, *rest], strict=False)
        )
    return True


def _allows(value: Any, schema: Any, defs: dict[str, Any]) -> bool:
    text = json.dumps({**schema, "$defs": defs})
    exact = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    with decimal.localcontext(prec=_DIGITS):
        return bool(_Validator(exact).is_valid(value))
