"""From what a request brings to the token ids of its prompt, with everything checked.

Belongs to one thread: that of the tokenizer.
"""

from dataclasses import dataclass
from typing import NamedTuple

from slipstream.engine.grammar_spec import Tool
from slipstream.engine.protocol import Generate
from slipstream.engine.template import ChatTemplate
from slipstream.engine.tokenizer import Tokenizer
from slipstream.errors import BadRequest, ContextTooLong, OutOfBlocks


class Prompt(NamedTuple):
    """One prompt, and how its template wrote it; empty for one that came as it is."""

    token_ids: list[int]
    rendered: str = ""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What prompts are made with, and what they must fit.

    Args:
        template: None where the model has none, and continues texts only.
        context_tokens: Of the model.
        cache_tokens: That the engine's cache holds.
        num_ids: Size of the vocabulary.
    """

    tokenizer: Tokenizer
    template: ChatTemplate | None
    context_tokens: int
    cache_tokens: int
    num_ids: int

    @property
    def most_tokens(self) -> int:
        """Tokens that a prompt and its answer have together at most."""
        return min(self.context_tokens, self.cache_tokens)

    def encode(self, message: Generate) -> Prompt:
        """Return the prompt of a request.

        Raises:
            BadRequest: The model's template cannot express the messages, or an id is none.
            ContextTooLong: No room is left for an answer.
            OutOfBlocks: The cache is smaller than this prompt.
        """
        param = "messages" if message.prompt is None else "prompt"
        prompt = self._encode(message)
        token_ids = prompt.token_ids
        if not token_ids:
            raise BadRequest("The prompt is empty.", param=param)
        if len(token_ids) >= self.context_tokens:
            raise ContextTooLong(
                f"This model's context is {self.context_tokens} tokens and the {param} has "
                f"{len(token_ids)}, which leaves no room for an answer."
            )
        if len(token_ids) >= self.cache_tokens:
            raise OutOfBlocks(
                f"the {param} has {len(token_ids)} tokens and the engine's cache holds "
                f"{self.cache_tokens}; a larger kv_cache_bytes would hold them"
            )
        return prompt

    def count(self, message: Generate) -> int:
        """Return how many tokens the prompt of a request has, also if it is too long.

        Raises:
            BadRequest: The model's template cannot express the messages, or an id is none.
        """
        return len(self._encode(message).token_ids)

    def _encode(self, message: Generate) -> Prompt:
        if message.prompt is None:
            return self._encode_messages(message)
        if isinstance(message.prompt, str):
            # As it is: control tokens that it spells are meant.
            return Prompt(self.tokenizer.encode_prompt(message.prompt))
        for token_id in message.prompt:
            if not 0 <= token_id < self.num_ids:
                raise BadRequest(
                    f"Invalid value for 'prompt': {token_id} is no token of this model, whose ids "
                    f"end at {self.num_ids - 1}.",
                    param="prompt",
                )
        return Prompt(list(message.prompt))

    def _encode_messages(self, message: Generate) -> Prompt:
        if self.template is None:
            raise BadRequest("This model has no chat template.", param="messages")
        rendered = self.template.render(
            message.messages, tools=offered_tools(message), switches=message.switches
        )
        return Prompt(self.tokenizer.encode_prompt(rendered), rendered)


def offered_tools(message: Generate) -> tuple[Tool, ...]:
    """Return the tools that the answer to a request may call."""
    use = message.tool_use
    return use.tools if use is not None and use.choice != "none" else ()
