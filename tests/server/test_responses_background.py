"""An answer in the background, asked of a gateway that a test plays: every way that it ends."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from slipstream.responses.records import Ending, KeptItem, Waiting
from slipstream.server.inside import Told
from slipstream.server.responses_background import give_up, make_answer

QUEUED = b'{"id":"resp_ours","created_at":7,"status":"queued","error":null,"output":[]}'
JOB = Waiting("k", "resp_ours", b'{"model":"m"}', QUEUED, 1)
MADE = {
    "id": "resp_theirs",
    "created_at": 9,
    "status": "incomplete",
    "background": False,
    "store": False,
    "output": [{"type": "message", "id": "msg_1"}],
}


class Played:
    """Answers with what a test has given it, the last one for ever."""

    def __init__(self, *answers: Told) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[bytes, str]] = []

    async def __call__(self, body: bytes, key_id: str) -> Told:
        """Answer."""
        self.asked.append((body, key_id))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def told(status: int, body: Any, wait: str | None = None) -> Told:
    """Return an answer of the gateway."""
    headers = {} if wait is None else {b"retry-after": wait.encode()}
    return Told(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def error(code: str | None = "some_code") -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": "No.", "type": "t", "param": None, "code": code}}


async def made(
    ask: Callable[[bytes, str], Awaitable[Told]], **options: float
) -> tuple[Ending, dict[str, Any], list[KeptItem]]:
    """Make the answer; return its ending, its object and its items."""
    ending, output = await make_answer(ask, JOB, **options)
    assert ending.body is not None
    return ending, json.loads(ending.body), list(output)


async def test_answer_has_the_id_that_the_client_knows() -> None:
    """And the time at which it was asked for; all else is as it was made."""
    ask = Played(told(200, MADE))
    ending, shown, output = await made(ask)
    assert ask.asked == [(b'{"model":"m"}', "k")]
    assert (ending.status, ending.made_as) == ("incomplete", "resp_theirs")
    ours = {"id": "resp_ours", "created_at": 7, "background": True, "store": True}
    assert shown == MADE | ours
    assert [(item.item_id, item.is_output) for item in output] == [("msg_1", True)]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_prompt"), (429, "rate_limit_exceeded"), (502, "server_error")],
)
async def test_failure_is_told_in_the_answer(status: int, code: str) -> None:
    """In the words of the dialect, with ours beside them."""
    ending, shown, output = await made(Played(told(status, error())))
    assert (ending.status, ending.made_as, output) == ("failed", None, [])
    assert shown == json.loads(QUEUED) | {
        "status": "failed",
        "error": {"code": code, "message": "No.", "type": "some_code"},
    }


@pytest.mark.parametrize("answer", [told(200, b"["), told(500, b"<html>"), told(200, {"x": 1})])
async def test_answer_that_is_none_is_a_failure(answer: Told) -> None:
    """Whatever it is; nothing is raised."""
    ending, shown, _ = await made(Played(answer))
    assert (ending.status, shown["error"]["code"]) == ("failed", "server_error")


async def test_who_is_told_to_come_back_comes_back() -> None:
    """For rate limits and busy targets."""
    ask = Played(told(429, error(), "0"), told(503, error(), "0"), told(200, MADE))
    ending, _, _ = await made(ask)
    assert (ending.status, len(ask.asked)) == ("incomplete", 3)


@pytest.mark.parametrize(
    ("answer", "max_wait_s"),
    [(told(429, error(), "3"), 2.0), (told(429, error()), 60.0), (told(400, error(), "0"), 60.0)],
)
async def test_nobody_comes_back_for_ever(answer: Told, max_wait_s: float) -> None:
    """Not beyond the bound, not without a word, and not for what stays wrong."""
    ask = Played(answer)
    ending, _, _ = await made(ask, max_wait_s=max_wait_s)
    assert (ending.status, len(ask.asked)) == ("failed", 1)


def test_answer_that_is_given_up_says_why() -> None:
    """In its error, under its own id."""
    ending = give_up(JOB)
    assert ending.body is not None
    shown = json.loads(ending.body)
    assert (ending.status, shown["status"], shown["id"]) == ("failed", "failed", "resp_ours")
    assert shown["error"]["type"] == "gateway_restarted"
