"""Tests of slipstream.upstream.local_client, against a process that is played by the test."""

import asyncio
from pathlib import Path

import pytest

from slipstream.engine.protocol import (
    Cancel,
    ChatMessage,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
    Failed,
    Finished,
    Generate,
    Logprob,
    Probe,
    Started,
)
from slipstream.errors import BadRequest, Broken, ContextTooLong, LoadFailed, StreamCut
from slipstream.upstream.local_client import Answer, AnswerPart, EngineClient
from tests.upstream.played_engine import LIMIT_S, READY, Played, connected, finished, stats_of

ASK = Generate(request_id=0, messages=(ChatMessage("user", "Hi"),))


async def parts_of(answer: Answer) -> list[AnswerPart]:
    """Return all parts of an answer."""
    parts = [await answer.next()]
    while not isinstance(parts[-1], Finished):
        parts.append(await answer.next())
    return parts


async def test_generate_parts_come_in_order(tmp_path: Path) -> None:
    """A consumer that keeps up gets each part as it comes."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        asked = await played.hear()
        assert isinstance(asked, Generate)
        assert asked.request_id == answer.request_id > 0
        start = Started(request_id=answer.request_id, prompt_tokens=1, cached_tokens=0)
        for part in (start, Delta(answer.request_id, "a", 1), finished(answer.request_id)):
            played.say(part)
            assert await answer.next() == part


async def test_generate_slow_consumer_gets_all_text_at_once(tmp_path: Path) -> None:
    """What was not taken grows together, so that the buffer holds two parts at most."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        number = answer.request_id
        played.say(*(Delta(number, letter, 1) for letter in "abcdef"), finished(number))
        while not answer.is_over:
            await asyncio.sleep(0.001)

        assert await parts_of(answer) == [Delta(number, "abcdef", 6), finished(number)]


async def test_generate_slow_consumer_of_several_choices_holds_one_part_of_each(
    tmp_path: Path,
) -> None:
    """Choices come mixed; each grows together by itself, and calls stay on their own."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        number = answer.request_id
        mixed = [Delta(number, letter, 1, choice) for letter in "abc" for choice in (0, 1)]
        reasoning = Delta(number, reasoning="r", num_tokens=1, choice=1)
        played.say(*mixed, reasoning, Delta(number, "d", 1, 0, finish="stop"), finished(number))
        while not answer.is_over:
            await asyncio.sleep(0.001)

        assert await parts_of(answer) == [
            Delta(number, "abcd", 4, 0, finish="stop"),
            Delta(number, "abc", 3, 1),
            reasoning,
            finished(number),
        ]


async def test_generate_slow_consumer_gets_fewer_and_larger_parts_in_order(tmp_path: Path) -> None:
    """One that comes every thousand tokens takes them as one part, with their log probabilities."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        number = answer.request_id
        parts: list[AnswerPart] = []
        for start in range(0, 5000, 1000):
            played.say(
                *(
                    Delta(number, f"{at} ", 1, logprobs=(Logprob(b"", -float(at)),))
                    for at in range(start, start + 1000)
                )
            )
            await heard_by(client, played)
            parts.append(await answer.next())
        played.say(finished(number))

        assert isinstance(await answer.next(), Finished)
        deltas = [part for part in parts if isinstance(part, Delta)]
        assert [delta.num_tokens for delta in deltas] == [1000] * 5
        assert "".join(delta.text for delta in deltas).split() == list(map(str, range(5000)))
        told = [-probability.logprob for delta in deltas for probability in delta.logprobs]
        assert told == list(range(5000))


async def heard_by(client: EngineClient, played: Played) -> None:
    """Wait until the client has read all that was said."""
    probe = client.probe()
    while not isinstance(asked := await played.hear(), Probe):
        pass
    played.say(stats_of(asked.request_id))
    await probe


async def test_close_unfinished_answer_cancels_it_once(tmp_path: Path) -> None:
    """Giving up is told to the process; a finished answer is not cancelled."""
    async with connected(tmp_path) as (client, played):
        first, second = client.generate(ASK), client.generate(ASK)
        played.say(finished(second.request_id))
        await parts_of(second)
        second.close()
        first.close()
        first.close()
        probe = client.probe()
        heard = [await played.hear() for _ in range(4)]

        assert heard[2] == Cancel(first.request_id)
        assert isinstance(heard[3], Probe)
        played.say(Delta(first.request_id, "late", 1))  # dropped
        stats = stats_of(heard[3].request_id)
        played.say(stats)
        assert await probe == stats


async def test_process_ends_open_answers_fail_by_what_was_said(tmp_path: Path) -> None:
    """Before any text a request is Broken, after it its stream was Cut; what came is not lost."""
    async with connected(tmp_path) as (client, played):
        fresh, begun, over = (client.generate(ASK) for _ in range(3))
        played.say(Delta(begun.request_id, "a", 1), finished(over.request_id))
        while not over.is_over:
            await asyncio.sleep(0.001)
        probe = client.probe()
        await played.end()

        with pytest.raises(Broken):
            await fresh.next()
        assert await begun.next() == Delta(begun.request_id, "a", 1)
        with pytest.raises(StreamCut):
            await begun.next()
        assert await parts_of(over) == [finished(over.request_id)]
        with pytest.raises(Broken):
            await probe
        assert client.ready is None
        with pytest.raises(Broken):
            client.generate(ASK)


async def test_embed_returns_its_vectors(tmp_path: Path) -> None:
    """Replies are told apart by their ids, whatever their order, and count as open until then."""
    async with connected(tmp_path) as (client, played):
        first = asyncio.create_task(client.embed(("a", (1, 2))))
        second = asyncio.create_task(client.embed(("b",), 64))
        asked = [await played.hear() for _ in range(2)]
        assert client.num_open == 2
        ids = [message.request_id for message in asked]
        assert asked == [
            Embed(request_id=ids[0], inputs=("a", (1, 2))),
            Embed(request_id=ids[1], inputs=("b",), dimensions=64),
        ]
        replies = [
            Embedded(request_id=number, vectors=b"1234", dimensions=1, prompt_tokens=number)
            for number in ids
        ]
        played.say(*reversed(replies))

        assert [await first, await second] == replies
        assert client.num_open == 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [("context_length_exceeded", ContextTooLong), ("invalid_value", BadRequest)],
)
async def test_embed_refused_raises_what_the_engine_says(
    tmp_path: Path, code: str, kind: type[Exception]
) -> None:
    """A Failed for an Embed is an error of our tree."""
    async with connected(tmp_path) as (client, played):
        embedding = asyncio.create_task(client.embed(("a",)))
        asked = await played.hear()
        played.say(Failed(request_id=asked.request_id, code=code, message="no"))

        with pytest.raises(kind, match="no"):
            await embedding


async def test_embed_given_up_is_cancelled(tmp_path: Path) -> None:
    """Who stops waiting stops the work; a late reply is dropped."""
    async with connected(tmp_path) as (client, played):
        embedding = asyncio.create_task(client.embed(("a",)))
        asked = await played.hear()
        embedding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await embedding

        assert await played.hear() == Cancel(asked.request_id)
        late = Embedded(request_id=asked.request_id, vectors=b"", dimensions=0, prompt_tokens=0)
        played.say(late)
        answer = client.generate(ASK)
        played.say(finished(answer.request_id))
        assert len(await parts_of(answer)) == 1


async def test_embed_process_ends_is_broken(tmp_path: Path) -> None:
    """While waiting, and when there is none to ask."""
    async with connected(tmp_path) as (client, played):
        embedding = asyncio.create_task(client.embed(("a",)))
        await played.hear()
        await played.end()

        for wait in (embedding, client.embed(("a",))):
            with pytest.raises(Broken):
                await wait


async def test_count_returns_what_the_engine_says_or_fails(tmp_path: Path) -> None:
    """Each waits for its own; a refusal and the end of the process are raised."""
    ask = Generate(request_id=0, prompt="x")
    async with connected(tmp_path) as (client, played):
        counts = [asyncio.create_task(client.count(ask)) for _ in range(3)]
        heard = [await played.hear() for _ in counts]
        assert all(isinstance(each, Count) and each.ask == ask for each in heard)
        ids = [each.request_id for each in heard if isinstance(each, Count)]
        played.say(Counted(ids[1], 7), Failed.of(ids[0], BadRequest("no", param="messages")))
        assert await counts[1] == 7
        with pytest.raises(BadRequest, match="no"):
            await counts[0]
        assert client.num_open == 1
        await played.end()
        with pytest.raises(Broken):
            await counts[2]


async def test_process_comes_back_client_connects_again(tmp_path: Path) -> None:
    """A new process at the same socket is used as soon as it is ready."""
    async with connected(tmp_path) as (client, played):
        await played.end()
        (tmp_path / "s").unlink(missing_ok=True)
        while client.ready is not None:
            await asyncio.sleep(0.001)
        await played.start()

        assert await client.wait_ready() == READY
        answer = client.generate(ASK)
        played.say(finished(answer.request_id))
        assert await parts_of(answer) == [finished(answer.request_id)]


async def test_process_that_does_not_speak_the_protocol_is_dropped(tmp_path: Path) -> None:
    """Rubbish ends the connection and fails what was open, nothing else."""
    async with connected(tmp_path) as (client, played):
        answer = client.generate(ASK)
        played.writer.write(b"\xff" * 100)

        with pytest.raises(Broken):
            await answer.next()


async def test_give_up_fails_all_who_wait(tmp_path: Path) -> None:
    """A process that will not come back is no reason to wait for a deadline."""
    client = EngineClient(tmp_path / "nothing")
    client.start()
    waiting = asyncio.create_task(client.wait_ready())
    await asyncio.sleep(0)
    client.give_up(LoadFailed("no such model"))

    async with asyncio.timeout(LIMIT_S):
        for wait in (waiting, client.wait_ready()):
            with pytest.raises(LoadFailed, match="no such model"):
                await wait
        await client.stop()
