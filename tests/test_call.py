"""The shared nouns: records that do not change, secrets that do not show."""

import copy
import pickle

import msgspec
import pytest

from slipstream.call import BUCKETS, Frame, Meaning, Rates, Secret, Usage
from slipstream.choice import Target

TEXT = "sk-very-secret"


def test_secret_is_shown_by_no_text_form() -> None:
    """Logs, formats and containers show that there is a key and nothing of it."""
    secret = Secret(TEXT)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}"]
    shown += ["%s and %r" % (secret, secret), repr([secret]), repr({"key": secret})]  # noqa: UP031
    assert all("secret" not in text.replace("Secret", "") for text in shown)
    assert secret.reveal() == TEXT


def test_secret_cannot_be_copied_or_serialised() -> None:
    """What writes records to files or sockets fails at a secret instead of writing it."""
    secret = Secret(TEXT)
    for write in (
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
    ):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert TEXT not in str(caught.value)


def test_secret_has_no_attributes_to_dump_and_no_equality() -> None:
    """Nothing finds the text by looking through objects, nor by comparing guesses."""
    secret = Secret(TEXT)
    assert not hasattr(secret, "__dict__")
    assert secret != Secret(TEXT)
    assert not secret == TEXT  # type: ignore[comparison-overlap]  # noqa: SIM201


def test_usage_totals_count_every_bucket_once() -> None:
    """Input and output together are all buckets of tokens; tool calls are no tokens."""
    counts = {name: 2**place for place, name in enumerate(BUCKETS)}
    usage = Usage(**counts)
    tokens = sum(count for name, count in counts.items() if name != "tool_units")
    assert usage.total_input_tokens + usage.total_output_tokens == tokens
    inputs = [name for name in BUCKETS if name.startswith(("input", "cache"))]
    assert usage.total_input_tokens == sum(counts[name] for name in inputs)


def test_rates_have_the_buckets_in_their_order() -> None:
    """The two are zipped when a cost is computed."""
    assert Rates.__struct_fields__ == BUCKETS


def test_records_are_frozen() -> None:
    """A call or a frame is the same for every layer that sees it."""
    frame = Frame(b"x", Meaning.CONTENT)
    with pytest.raises(AttributeError):
        frame.data = b"y"  # type: ignore[misc]


def test_target_name_is_provider_and_model() -> None:
    """A model's own slashes stay in it."""
    assert Target("groq", "openai/gpt-oss-120b").name == "groq/openai/gpt-oss-120b"
