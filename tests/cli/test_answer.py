"""One streamed answer through the official SDK, against the scripted provider."""

import subprocess
import sys

import pytest

from slipstream.cli.answer import Answer, Asker, AskFailed


def test_ask_streams_pieces_and_counts_tokens(mock_url: str) -> None:
    """Every piece is written as it comes; text, usage, times and headers are all there."""
    pieces: list[str] = []
    with Asker(mock_url, "any") as asker:
        answer = asker.ask("echo-1", [{"role": "user", "content": "one two three"}], pieces.append)
    assert answer.text == "".join(pieces) == "one two three"
    assert len(pieces) == 3
    assert (answer.input_tokens, answer.output_tokens) == (3, 3)
    assert answer.finish_reason == "stop"
    assert answer.first_token_s is not None
    assert 0 < answer.first_token_s <= answer.total_s
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_ask_takes_a_base_url_with_or_without_v1(mock_url: str) -> None:
    """People paste base URLs both ways; both lead to the same place."""
    for url in (mock_url, f"{mock_url}/", f"{mock_url}/v1", f"{mock_url}/v1/"):
        with Asker(url, "any") as asker:
            assert asker.models() == ["echo-1"]


def test_ask_passes_the_token_limit_on(mock_url: str) -> None:
    """`max_tokens` ends the answer early, with the reason `length`."""
    with Asker(mock_url, "any") as asker:
        answer = asker.ask("echo-1", [{"role": "user", "content": "a b c d"}], print, 2)
    assert (answer.output_tokens, answer.finish_reason) == (2, "length")


def test_ask_says_what_the_gateway_said(mock_url: str) -> None:
    """An error answer becomes one line with its status, not the SDK's rendering of it."""
    with Asker(mock_url, "any") as asker, pytest.raises(AskFailed) as caught:
        asker.ask("echo-1?status=429", [{"role": "user", "content": "hi"}], print)
    assert caught.value.answer_status == 429
    assert caught.value.message.endswith("(status 429)")
    assert "\n" not in caught.value.message


def test_ask_that_is_cut_off_fails(mock_url: str) -> None:
    """A stream that breaks in the middle is a failure, whatever was written before."""
    pieces: list[str] = []
    question = " ".join(["word"] * 50)
    with Asker(mock_url, "any") as asker, pytest.raises(AskFailed):
        asker.ask("echo-1?cut=4000", [{"role": "user", "content": question}], pieces.append)
    assert 0 < len(pieces) < 50


def test_ask_where_nobody_listens_fails() -> None:
    """No gateway is one line, too."""
    with Asker("http://127.0.0.1:9", "any") as asker, pytest.raises(AskFailed) as caught:
        asker.models()
    assert caught.value.answer_status is None


def test_asker_without_the_sdk_says_what_to_install() -> None:
    """The SDK is an extra: without it there is a line that names it."""
    code = (
        "import sys; sys.modules['openai'] = None\n"
        "from slipstream.cli.answer import Asker, SdkMissing\n"
        "try:\n    Asker('http://127.0.0.1:9', 'any')\n"
        "except SdkMissing as error:\n    print(error)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert "slipstream[client]" in done.stdout


@pytest.mark.parametrize(
    ("first_token_s", "output_tokens", "speed"),
    [(0.5, 11, 20.0), (0.5, 1, None), (0.5, None, None), (None, 11, None)],
)
def test_tokens_per_s_counts_tokens_after_the_first(
    first_token_s: float | None, output_tokens: int | None, speed: float | None
) -> None:
    """The wait for the first token is not part of the speed; without tokens there is none."""
    answer = Answer("x", "stop", first_token_s, total_s=1.0, output_tokens=output_tokens)
    assert answer.tokens_per_s == speed
