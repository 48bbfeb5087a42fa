"""Compiles what the answers of one model must look like, each demand once."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from llguidance import LLMatcher

from slipstream.engine.closing import closing_tokens
from slipstream.engine.grammar import Matcher, Stage
from slipstream.engine.grammar_schema import Schema, explain, read_schema, with_options
from slipstream.engine.grammar_spec import (
    AnswerForm,
    JsonObject,
    JsonSchema,
    Lark,
    Regex,
    Tool,
    ToolFormat,
    ToolUse,
)
from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.grammar_trigger import Trigger
from slipstream.engine.grammar_walk import Grammar
from slipstream.engine.tool_grammar import (
    Signature,
    call_rules,
    heard_part,
    listening_rule,
    literal,
    reasoning_rule,
)
from slipstream.errors import BadRequest

_CACHED_PLANS: Final = 64
_ANY_OBJECT: Final[Schema] = {"type": "object"}
_NO_REFUSAL: Final = ""

# Options of Lark rules that would take a token back, or end one without a word.
_REFUSED_OPTIONS: Final = re.compile(r"\w\[[^\]\n]*\b(max_tokens|temperature|stop)\s*=")
_SPACE_RULE: Final = "SPACE: /[ \\n]{0,4}/\n"  # that models write behind their reasoning


class Grammars:
    """Compiles what one model's answers must look like, and remembers it. For one thread."""

    def __init__(self, tokens: GrammarTokens, tool_format: ToolFormat) -> None:
        self._tokens, self._format = tokens, tool_format
        self._cache: OrderedDict[object, tuple[Stage, ...]] = OrderedDict()

    def compile(
        self,
        form: AnswerForm | None,
        tool_use: ToolUse | None = None,
        *,
        after: str = "",
        begun_by: str = "",
    ) -> Matcher | None:
        """Return a matcher at the beginning of an answer; None where the answer is free.

        Args:
            after: The text, or control token, that ends the reasoning with which the answer
                begins; nothing is asked of the answer before it.
            begun_by: What begins the reasoning: the answer may do without. Empty where the
                prompt has begun it.

        Raises:
            BadRequest: It cannot be enforced; names the field, and what of it.
        """
        if tool_use is not None and (tool_use.choice == "none" or not tool_use.tools):
            tool_use = None
        if form is None and tool_use is None:
            return None
        key = (form, tool_use, after, begun_by)
        stages = self._cache.pop(key, None)
        if stages is None:
            stages = tuple(self._stages(form, tool_use, after, begun_by))
        self._cache[key] = stages
        if len(self._cache) > _CACHED_PLANS:
            self._cache.popitem(last=False)
        return Matcher(self._tokens, stages, 0 if begun_by else _num_closing(form, tool_use))

    def _stages(
        self, form: AnswerForm | None, tool_use: ToolUse | None, after: str, begun_by: str
    ) -> Iterator[Stage]:
        if not self._tokens.ends:
            raise BadRequest("This model names no token that ends an answer.", param=_param(form))
        controls = self._tokens.controls
        is_free = form is None and tool_use is not None and tool_use.choice == "auto"
        if begun_by and is_free:
            opening = heard_part(begun_by, controls)
            yield Stage(None, Trigger(opening, self._tokens, is_anchored=True))
        if after and (is_free or not begun_by):
            yield Stage(None, Trigger(after, self._tokens))
        if is_free and tool_use is not None:
            yield self._listening(tool_use)
            return
        start, rules = "answer", ""
        if after:
            start, rules = f"SPACE {literal(self._format.resumed, controls)} answer", _SPACE_RULE
        if after and begun_by:
            start = f"reasoning {start} | answer"
            rules += reasoning_rule(begun_by, after, controls)
        yield self._demanded(form, tool_use, f"start: {start}\n{rules}")

    def _demanded(self, form: AnswerForm | None, tool_use: ToolUse | None, lead: str) -> Stage:
        """Return the stage of an answer that is in a form, or calls.

        Args:
            lead: Rules that use the rule `answer`.
        """
        parts, rules = [], ""
        grammars: list[dict[str, Any]] = []
        if form is not None and (tool_use is None or tool_use.choice == "auto"):
            parts.append(f"{literal(self._format.form_lead, self._tokens.controls)} @form")
            grammars.append({**self._form(form), "name": "form"})
        if tool_use is not None:
            parts.append("calls")
            rules = self._calls(tool_use)
        top = f"{lead}answer: {' | '.join(parts)}\n{rules}"
        return Stage(self._compiled([{"lark_grammar": top}, *grammars], _param(form)))

    def _listening(self, tool_use: ToolUse) -> Stage:
        """Return the stage of a model that may call functions."""
        form, controls = self._format, self._tokens.controls
        heard = heard_part(form.told_by, controls)
        stands_alone = form.at_start or bool(form.opening or form.closing)
        rules = self._calls(tool_use, heard, is_parallel=tool_use.is_parallel and stands_alone)
        start = listening_rule(heard, controls, is_anchored=form.at_start)
        return Stage(
            self._compiled([{"lark_grammar": start + rules}], "tools"),
            Trigger(heard, self._tokens, is_anchored=form.at_start),
            is_repeated=tool_use.is_parallel and not stands_alone and form.separator is not None,
        )

    def _calls(self, tool_use: ToolUse, heard: str = "", *, is_parallel: bool | None = None) -> str:
        if is_parallel is None:
            is_parallel = tool_use.is_parallel and tool_use.choice != "named"
        signatures = [
            Signature(tool.name, self._arguments(tool, f"tools[{number}].function.parameters"))
            for number, tool in enumerate(tool_use.tools)
            if tool_use.choice != "named" or tool.name == tool_use.name
        ]
        if not signatures:
            raise BadRequest(
                f"tool_choice names {tool_use.name!r}, which is none of the tools.",
                param="tool_choice",
            )
        return call_rules(
            signatures, self._format, self._tokens.controls, is_parallel=is_parallel, heard=heard
        )

    def _arguments(self, tool: Tool, param: str) -> Schema:
        """Return the schema of a tool's arguments: to the letter if strict, else what can be."""
        schema = read_schema(tool.parameters, param)
        if schema.get("type") != "object":
            schema = {"type": "object", **schema}
        exact = with_options(schema, is_lenient=not tool.is_strict)
        error = self._refusal(exact)
        if not error:
            return exact
        if tool.is_strict:
            raise self._refused(schema, error, param)
        return with_options(_ANY_OBJECT, is_lenient=False)

    def _form(self, form: AnswerForm) -> dict[str, Any]:
        """Return a form as one of llguidance's grammars, itself without fault."""
        match form:
            case JsonSchema(text, is_strict, param):
                schema = read_schema(text, param)
                exact = with_options(schema, is_lenient=not is_strict)
                if error := self._refusal(exact):
                    raise self._refused(schema, error, param)
                return {"json_schema": exact}
            case JsonObject():
                return {"json_schema": with_options(_ANY_OBJECT, is_lenient=False)}
            case Regex(pattern, param):
                source = LLMatcher.grammar_from_regex(pattern)
                Grammar(self._tokens, source, param)
                grammars: list[dict[str, Any]] = msgspec.json.decode(source)["grammars"]
                return {"lark_grammar": grammars[0]["lark_grammar"]}
            case Lark(source, param):
                if found := _REFUSED_OPTIONS.search(source):
                    raise BadRequest(
                        f"{param}: rules with the option {found[1]!r} are not supported; "
                        "'suffix' and 'lazy' are.",
                        param=param,
                    )
                Grammar(self._tokens, source, param)
                return {"lark_grammar": source}

    def _refusal(self, schema: Schema) -> str:
        try:
            self._compiled([{"json_schema": schema}], "")
        except BadRequest as exc:
            return exc.message
        return _NO_REFUSAL

    def _refused(self, schema: Schema, error: str, param: str) -> BadRequest:
        def check(place: Schema) -> str:
            return self._refusal(with_options(place, is_lenient=False))

        return BadRequest(f"{param}: {explain(schema, error, check)}", param=param)

    def _compiled(self, grammars: list[dict[str, Any]], param: str) -> Grammar:
        source = msgspec.json.encode({"grammars": grammars}).decode()
        return Grammar(self._tokens, source, param)


def _num_closing(form: AnswerForm | None, tool_use: ToolUse | None) -> int:
    """Return how many tokens the end of an answer may take; 0 where it may be free text."""
    letters = [len(tool.parameters) for tool in tool_use.tools] if tool_use is not None else []
    match form:
        case JsonSchema(schema):
            letters.append(len(schema))
        case JsonObject():
            letters.append(0)
        case None if tool_use is not None and tool_use.choice != "auto":
            pass
        case _:
            return 0
    return closing_tokens(max(letters))


def _param(form: AnswerForm | None) -> str:
    match form:
        case JsonSchema(param=param) | Regex(param=param) | Lark(param=param):
            return param
        case JsonObject():
            return "response_format"
        case None:
            return "tools"
