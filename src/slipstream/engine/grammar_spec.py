"""What an answer must look like, as plain records: they travel in protocol.py to the child.

`grammar.py` compiles them; nothing heavy is imported here.
"""

from typing import Literal

import msgspec


class JsonSchema(msgspec.Struct, frozen=True, tag="json_schema"):
    """A document that a JSON Schema allows.

    Args:
        schema: The schema as JSON text.
        is_strict: False ignores keywords that cannot be enforced, True refuses them.
        param: The request's field that it came from, for errors.
    """

    schema: str
    is_strict: bool = True
    param: str = "response_format"


class JsonObject(msgspec.Struct, frozen=True, tag="json_object"):
    """Any JSON object."""


class Regex(msgspec.Struct, frozen=True, tag="regex"):
    """A text that a regular expression matches as a whole."""

    pattern: str
    param: str = "regex"


class Lark(msgspec.Struct, frozen=True, tag="lark"):
    """A text of a grammar in llguidance's dialect of Lark."""

    source: str
    param: str = "grammar"


AnswerForm = JsonSchema | JsonObject | Regex | Lark


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call.

    Args:
        parameters: The JSON Schema of its arguments as JSON text.
        is_strict: The arguments must obey the schema.
    """

    name: str
    description: str = ""
    parameters: str = '{"type":"object","properties":{}}'
    is_strict: bool = False


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """Which tools an answer may, or must, call.

    Args:
        choice: `named` forces a call of the only tool in `tools` that `name` names.
        is_parallel: Whether it may hold several calls.
    """

    tools: tuple[Tool, ...]
    choice: Literal["auto", "none", "required", "named"] = "auto"
    name: str | None = None
    is_parallel: bool = True


class ToolFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How a family of models writes calls of functions, and what it puts before other answers.

        opening  call  separator call …  closing
                 └─ begin {"name": "f", "arguments": {…}} end          where `middle` is None
                    begin f middle {…} end                             where it is a text

    Every text may hold control tokens of the model by their names.

    Args:
        opening: Before the first call of an answer, `[TOOL_CALLS][`; empty where each call
            stands for itself, with free text around it.
        name_key: In the object that is a call; `arguments_key` likewise.
        separator: Between two calls that follow each other; None where an answer has but one.
        trigger: What tells calls from free text: how opening and first call begin. Empty stands
            for opening and begin without the white space at their end.
        at_start: Calls are told from text at the very beginning of an answer only, and nothing
            stands beside them.
        form_lead: Before an answer in a form: the header of a message.
        resumed: Between the end of reasoning and a call, or a form's lead.
    """

    opening: str = ""
    begin: str = ""
    middle: str | None = None
    end: str = ""
    separator: str | None = ""
    closing: str = ""
    name_key: str = "name"
    arguments_key: str = "arguments"
    trigger: str = ""
    at_start: bool = False
    form_lead: str = ""
    resumed: str = ""

    @property
    def told_by(self) -> str:
        """The trigger, whether it is given or not; never empty."""
        head = f'{{"{self.name_key}"' if self.middle is None else ""
        return self.trigger or (self.opening + self.begin).rstrip() or head
