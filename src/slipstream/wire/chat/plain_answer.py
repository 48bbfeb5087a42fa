"""A plain chat answer from all its events, and the words that plain and streamed ones share."""

from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat.citations import annotation_of
from slipstream.wire.chat.seals import encode_details, encode_extra
from slipstream.wire.chat_answer import usage_object
from slipstream.wire.talk.asking import Reasoning, Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Counted,
    Ended,
    Event,
    Failed,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

_FINISHES: Final = {"pause": "stop"}  # Anthropic's turn that may be gone on with
_TIERS: Final = {
    "auto": "auto",
    "default": "default",
    "standard": "default",
    "on_demand": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "performance": "priority",
    "fast": "fast",
}
_encode: Final = msgspec.json.Encoder().encode
_items_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


def finish_of(event: Ended) -> str:
    """Return why a choice ended, in OpenAI's words."""
    return _FINISHES.get(event.reason, event.reason)


def tier_of(word: str | None) -> str | None:
    """Return a vendor's word for a tier of service as OpenAI's; None where it has none."""
    return _TIERS.get(word or "")


def reported_usage(usage: Usage) -> dict[str, Any]:
    """Return usage with all that clients of other vendors' models may want to know."""
    said = usage_object(usage)
    said["prompt_tokens_details"] |= {
        "audio_tokens": usage.input_audio_tokens,
        "image_tokens": usage.input_image_tokens,
        "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
    }
    said["completion_tokens_details"] |= {
        "audio_tokens": usage.output_audio_tokens,
        "image_tokens": usage.output_image_tokens,
    }
    return said


class PlainAnswer:
    """Collects events into the body of an answer.

    Args:
        head: What all answers have in common.
    """

    __slots__ = ("_choices", "_head", "_usage")

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = {**head, "object": "chat.completion"}
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def add(self, event: Event) -> None:
        """Add an event.

        Raises:
            GatewayError: It is a Failed.
        """
        match event:
            case Failed():
                raise event.error
            case Counted():
                self._usage = event.usage
            case Began():
                self._begin(event)
            case _ if hasattr(event, "choice"):
                choice = self._choices.setdefault(event.choice, _Choice())
                choice.add(event)

    def frame(self) -> Frame:
        """Return the whole body."""
        choices = [self._choices[at].object(at) for at in sorted(self._choices)]
        body = self._head | {"choices": choices}
        if self._usage is not None:
            body["usage"] = reported_usage(self._usage)
        reason = choices[0]["finish_reason"] if choices else None
        return Frame(_encode(body), Meaning.END, self._usage, reason)

    def _begin(self, event: Began) -> None:
        if event.fingerprint is not None:
            self._head["system_fingerprint"] = event.fingerprint
        tier = tier_of(event.service_tier)
        if tier is not None:
            self._head["service_tier"] = tier


class _Call:
    __slots__ = ("began", "said", "seals")

    def __init__(self, began: CallBegan) -> None:
        self.began = began
        self.said: list[str] = []
        self.seals: list[Seal] = []

    def object(self) -> dict[str, Any]:
        text, began = "".join(self.said), self.began
        said: dict[str, Any] = {"id": began.call_id}
        if began.is_custom:
            said |= {"type": "custom", "custom": {"name": began.name, "input": text}}
        else:
            function = {"name": began.name, "arguments": text or "{}"}
            said |= {"type": "function", "function": function}
        return said | {"extra_content": encode_extra(self.seals)} if self.seals else said


class _Choice:
    __slots__ = (
        "_annotations",
        "_calls",
        "_details",
        "_finish",
        "_refusal",
        "_scores",
        "_stretch",
        "_text",
        "_thoughts",
    )

    def __init__(self) -> None:
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._thoughts: list[str] = []
        self._stretch: list[Thought] = []
        self._details: list[msgspec.Raw] = []
        self._calls: dict[int, _Call] = {}
        self._annotations: list[Any] = []
        self._scores: list[msgspec.Raw] = []
        self._finish: str | None = None

    def add(self, event: Event) -> None:
        match event:
            case Said():
                self._text.append(event.text)
            case Thought():
                self._think(event)
            case Sealed():
                self._seal(event)
            case CallBegan():
                self._calls[event.index] = _Call(event)
            case CallSaid():
                self._calls[event.index].said.append(event.text)
            case Refused():
                self._refusal.append(event.text)
            case Cited():
                annotation = annotation_of(event, sum(map(len, self._text)))
                self._annotations += [annotation] if annotation else []
            case Scored():
                self._scores += _items_decoder.decode(event.raw)
            case Ended():
                self._finish = finish_of(event)
            case _:
                pass

    def _think(self, event: Thought) -> None:
        if event.begins:
            self._stretch = []
            if self._thoughts:
                self._thoughts.append("\n\n")
        self._stretch.append(event)
        self._thoughts.append(event.text)

    def _seal(self, event: Sealed) -> None:
        if event.call is not None:
            self._calls[event.call].seals.append(event.seal)
            return
        stretch, self._stretch = self._stretch, []
        reasoning = Reasoning(
            text="".join(thought.text for thought in stretch),
            is_summary=any(thought.is_summary for thought in stretch),
            seals=(event.seal,),
        )
        self._details += encode_details(reasoning, len(self._details))

    def object(self, index: int) -> dict[str, Any]:
        calls = [call.object() for call in self._calls.values()]
        text, refusal = "".join(self._text), "".join(self._refusal)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text or (None if calls or refusal else ""),
            "refusal": refusal or None,
        }
        optional = {
            "reasoning_content": "".join(self._thoughts),
            "reasoning_details": self._details,
            "tool_calls": calls,
            "annotations": self._annotations,
        }
        message |= {key: value for key, value in optional.items() if value}
        logprobs = {"content": self._scores, "refusal": None} if self._scores else None
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": self._finish,
        }
