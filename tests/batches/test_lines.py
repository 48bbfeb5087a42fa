"""Input lines: what is accepted, what is refused and in which words; and lines of answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.batches.lines import (
    MAX_CUSTOM_ID_CHARS,
    MAX_LINE_BYTES,
    MAX_PROBLEMS,
    MAX_REQUESTS,
    Checker,
    Line,
    Splitter,
    answer_line,
    custom_id_of,
    read_line,
    unanswered_line,
)
from slipstream.batches.records import CHAT_ENDPOINT, Answered
from tests.batches.world import line_of

LINE = json.loads(line_of("a"))


def raw_of(**changes: Any) -> bytes:
    """Return the bytes of a line; a change to None leaves the field out."""
    fields = {**LINE, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("raw", "is_stream"),
    [
        (raw_of(), False),
        (raw_of(body={"stream": True}), True),
        (raw_of(body={"stream": False}), False),
        (raw_of(body={"stream": None}), False),
        (raw_of(body={"stream": "true"}), False),
        (raw_of(body={}), False),
        (raw_of(custom_id="é" * MAX_CUSTOM_ID_CHARS), False),
        (raw_of() + b"\r", False),
        (b"  " + raw_of(), False),
    ],
)
def test_line_that_is_right_is_a_request(raw: bytes, is_stream: bool) -> None:
    """The body is handed on as it stands, and a wish for a stream is noticed."""
    line = read_line(1, raw, CHAT_ENDPOINT)
    assert isinstance(line, Line)
    sent = json.loads(raw)
    assert (line.custom_id, line.url, line.is_stream) == (sent["custom_id"], sent["url"], is_stream)
    assert line.body in raw
    assert json.loads(line.body) == sent["body"]


@pytest.mark.parametrize(
    ("raw", "code", "param", "said"),
    [
        (b"nonsense", "invalid_json_line", None, "no JSON object"),
        (b"[]", "invalid_json_line", None, "got `array`"),
        (raw_of()[:-1], "invalid_json_line", None, "truncated"),
        (b'{"a":"\xff"}', "invalid_json_line", None, "UTF-8"),
        (b"\xef\xbb\xbf" + raw_of(), "invalid_json_line", None, "byte 0"),
        (b'{"a":' * 9000 + b"1" + b"}" * 9000, "invalid_json_line", None, "recursion"),
        (b" " * MAX_LINE_BYTES + b"x", "line_too_long", None, "1048576 bytes"),
        (raw_of(custom_id=None), "missing_required_parameter", "custom_id", "custom_id"),
        (raw_of(method=None), "missing_required_parameter", "method", "method"),
        (raw_of(url=None), "missing_required_parameter", "url", "url"),
        (raw_of(body=None), "missing_required_parameter", "body", "body"),
        (raw_of(model="m"), "unknown_parameter", "model", "custom_id, method, url, body"),
        (raw_of(custom_id=7), "invalid_custom_id", "custom_id", "1 to 512"),
        (raw_of(custom_id=""), "invalid_custom_id", "custom_id", "1 to 512"),
        (raw_of(custom_id="x" * 513), "invalid_custom_id", "custom_id", "1 to 512"),
        (raw_of(method="GET"), "invalid_method", "method", "must be POST, not '\"GET\"'"),
        (raw_of(method=["POST"]), "invalid_method", "method", "POST"),
        (raw_of(url="/v1/embeddings"), "invalid_url", "url", CHAT_ENDPOINT),
        (raw_of(url="https://elsewhere/v1/chat/completions"), "invalid_url", "url", "must be"),
        (raw_of(body=[]), "invalid_body", "body", "object"),
        (raw_of(body="{}"), "invalid_body", "body", "object"),
    ],
)
def test_line_that_is_wrong_says_what_and_where(
    raw: bytes, code: str, param: str | None, said: str
) -> None:
    """A problem has a code, the parameter, the line's number and words that help."""
    problems = read_line(17, raw, CHAT_ENDPOINT)
    assert isinstance(problems, tuple)
    (problem,) = problems
    assert (problem.code, problem.param, problem.line) == (code, param, 17)
    assert said in problem.message


def test_line_with_several_faults_tells_all_of_them() -> None:
    """A client can mend a line in one go."""
    problems = read_line(2, b'{"custom_id":1,"method":"GET","more":2}', CHAT_ENDPOINT)
    assert isinstance(problems, tuple)
    assert [p.param for p in problems] == ["url", "body", "more", "custom_id", "method"]


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_request_or_problems(raw: bytes) -> None:
    """Nothing that a client uploads makes the reader fail."""
    assert isinstance(read_line(1, raw, CHAT_ENDPOINT), Line | tuple)


# ---- splitting ----------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 7))
def test_splitter_gives_the_same_lines_wherever_the_pieces_end(
    parts: list[bytes], step: int
) -> None:
    """Numbers are those of an editor, and only blank lines are left out."""
    whole = b"\n".join(parts)
    splitter = Splitter()
    found = [
        line
        for start in range(0, len(whole), step)
        for line in splitter.feed(whole[start : start + step])
    ]
    found += splitter.close()
    numbered = list(enumerate(whole.split(b"\n"), 1))
    assert found == [(number, line) for number, line in numbered if line.strip()]


def test_splitter_keeps_no_more_of_a_line_than_its_bound() -> None:
    """A file without any end of line does not fill the memory."""
    splitter = Splitter()
    for _ in range(4):
        assert list(splitter.feed(b"x" * MAX_LINE_BYTES)) == []
    ((number, line),) = splitter.close()
    assert (number, len(line)) == (1, MAX_LINE_BYTES + 1)


# ---- the whole input ----------------------------------------------------------------------------


def test_checker_finds_nothing_wrong_with_a_right_input() -> None:
    """Requests are counted, and there is no problem."""
    checker = Checker(CHAT_ENDPOINT)
    for number in range(1, 4):
        checker.add(number, raw_of(custom_id=f"r{number}"))
    assert (checker.num_requests, checker.problems(), checker.is_full) == (3, (), False)


def test_checker_names_both_lines_of_a_custom_id_that_stands_twice() -> None:
    """An answer is found by its custom_id, so that must be one line's alone."""
    checker = Checker(CHAT_ENDPOINT)
    for number, custom_id in ((1, "a"), (2, "b"), (4, "a")):
        checker.add(number, raw_of(custom_id=custom_id))
    (problem,) = checker.problems()
    assert (problem.code, problem.line) == ("duplicate_custom_id", 4)
    assert "'a' is that of line 1" in problem.message


def test_checker_refuses_an_input_without_requests() -> None:
    """A batch of nothing is a mistake."""
    assert [p.code for p in Checker(CHAT_ENDPOINT).problems()] == ["empty_file"]


def test_checker_takes_as_many_requests_as_documented_and_no_more() -> None:
    """50,000 are a batch; one more is too many, and nobody looks further."""
    checker = Checker(CHAT_ENDPOINT)
    for number in range(MAX_REQUESTS):
        checker.add(number + 1, raw_of(custom_id=f"r{number}"))
    assert (checker.problems(), checker.is_full) == ((), False)
    checker.add(MAX_REQUESTS + 1, raw_of(custom_id="last"))
    assert checker.is_full
    assert [(p.code, p.line) for p in checker.problems()] == [("too_many_requests", 50_001)]


def test_checker_lists_so_many_problems_and_counts_the_rest() -> None:
    """A file of nonsense does not make a record that nobody can load."""
    checker = Checker(CHAT_ENDPOINT)
    for number in range(MAX_PROBLEMS + 5):
        checker.add(number + 1, b"nonsense")
    problems = checker.problems()
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].code == "more_problems"
    assert problems[-1].message.startswith("5 further")


# ---- answers ------------------------------------------------------------------------------------


def test_answer_is_written_as_openai_writes_it() -> None:
    """id, custom_id, response, error: a program that reads OpenAI's output reads ours."""
    answered = Answered(status=200, request_id="req-1", body=b'{"id":"x"}')
    line = answer_line("a", answered)
    found = json.loads(line)
    assert list(found) == ["id", "custom_id", "response", "error"]
    assert found["id"].startswith("batch_req_")
    assert found["response"] == {"status_code": 200, "request_id": "req-1", "body": {"id": "x"}}
    assert found["error"] is None
    assert line.endswith(b"\n")


def test_line_without_answer_says_why() -> None:
    """Where there was no HTTP answer, `error` has a code and words."""
    found = json.loads(unanswered_line("a", "batch_expired", "too late"))
    assert found["response"] is None
    assert found["error"] == {"code": "batch_expired", "message": "too late"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=8,
    ),
    st.text(min_size=1, max_size=8).filter(lambda text: text.isascii() or text.isprintable()),
    st.sampled_from([None, 1, 4]),
)
def test_answer_of_any_json_stays_one_line_and_the_same(
    body: Any, custom_id: str, indent: int | None
) -> None:
    """Also a pretty-printed body; JSONL has one object on each line."""
    raw = json.dumps(body, indent=indent).encode()
    line = answer_line(custom_id, Answered(status=200, request_id="r", body=raw))
    assert line.count(b"\n") == 1
    assert json.loads(line)["response"]["body"] == body
    assert custom_id_of(line) == custom_id


@pytest.mark.parametrize("body", [b"", b"oops\n\n", b'{"a":', b'"\xff"'])
def test_answer_that_is_no_json_becomes_a_text(body: bytes) -> None:
    """What another sends does not break the file of all answers."""
    line = answer_line("a", Answered(status=404, request_id="r", body=body))
    assert json.loads(line)["response"]["body"] == body.decode(errors="replace")
    assert line.count(b"\n") == 1


def test_custom_id_of_a_torn_line_is_none() -> None:
    """What a crash left of a line is not taken for an answer."""
    line = unanswered_line("a", "c", "m")
    assert custom_id_of(line) == "a"
    for end in range(len(line) - 2):
        assert custom_id_of(line[:end]) is None
    assert custom_id_of(b"\0" * 40) is None
    assert custom_id_of(b'{"custom_id":"a"}') is None
