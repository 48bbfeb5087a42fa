"""The layer that keeps answers of the Responses dialect, and goes on with those that are kept.

    Call ── what it follows ──▶ Call ──▶ … ──▶ Frame, Frame, …, END
                                                                 ╰─ kept before it is handed on

It works on frames, so translated answers, relayed ones and those of our own models are kept alike.
An answer that cannot be kept is given all the same, and says `store: false`; what it was to follow
and cannot be read is an error.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from slipstream.call import Call, Frame, Frames, Meaning, Serve, Usage
from slipstream.errors import BadRequest, GatewayError, LedgerUnavailable
from slipstream.responses.archive import Archive
from slipstream.responses.records import Conversation, Kept, KeptItem, Status
from slipstream.wire.responses.following import Following, Wish, own_response_id
from slipstream.wire.responses.kept import (
    Item,
    answer_of,
    as_unkept,
    kept_items,
    read_answer,
    read_input,
    referred_ids,
    without_fields,
)
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.responses.response_object import ResponseObject
from slipstream.wire.wishes import with_wishes

_STORED: Final = msgspec.Raw(b"true")
_NS: Final = 10**9

_log = logging.getLogger("slipstream.responses")


class Before(NamedTuple):
    """What a request goes on with.

    Args:
        items: Of its own input.
        writers: What returns an answer's items, of whoever writes it; the last one counts.
    """

    following: Following
    items: list[msgspec.Raw]
    writers: list[Callable[[], list[bytes]]]


class Keeping:
    """Wraps what answers calls.

    Args:
        keeps: Whether a provider keeps answers of its own.
    """

    def __init__(self, archive: Archive, keeps: Callable[[str], bool]) -> None:
        self._archive, self._keeps = archive, keeps

    def around(
        self,
        serve: Serve,
        *,
        check_model: Callable[[Call], object],
        begin: Callable[[str, str], None],
    ) -> Serve:
        """Return what answers Responses calls and keeps what is to be kept.

        Args:
            check_model: Raises UnknownModel, for answers in the background.
            begin: Makes an answer whose row is there.
        """

        def answer(call: Call) -> Frames:
            wish = call.asked
            if not isinstance(wish, Wish) or wish.is_none:
                return serve(call)
            if wish.is_background:
                check_model(call)
                return self._queued(call, wish, begin)
            return self._kept(serve, call, wish)

        return answer

    async def before(self, key_id: str, body: bytes, wish: Wish) -> Before:
        """Return what a request goes on with.

        Raises:
            PreviousNotFound: What it follows is not there.
            BadRequest: That cannot be followed, or the input is none.
            LedgerUnavailable: What is kept cannot be read.
        """
        items = read_input(body) if wish.store or wish.has_references else []
        ids = referred_ids(items)
        named = await self._archive.items_named(key_id, ids) if ids else {}
        writers: list[Callable[[], list[bytes]]] = []
        providers = {provider for _, provider in named.values()}
        earlier: tuple[msgspec.Raw, ...] = ()
        upstream_id = None
        if wish.previous_response_id is not None:
            talk = await self._archive.conversation(key_id, wish.previous_response_id)
            earlier = tuple(msgspec.Raw(item.body) for item in talk.items)
            _check_twice(ids, talk)
            providers.add(talk.last.provider)
            upstream_id = talk.last.upstream_id
        following = Following(
            is_kept=wish.store,
            earlier=earlier,
            known={item_id: msgspec.Raw(body) for item_id, (body, _) in named.items()},
            goes_on=bool(providers),
            provider=providers.pop() if len(providers) == 1 else None,
            upstream_id=None if upstream_id == wish.previous_response_id else upstream_id,
            tell_items=writers.append,
        )
        return Before(following, items, writers)

    async def _kept(self, serve: Serve, call: Call, wish: Wish) -> Frames:
        before = await self.before(call.key_id, call.body, wish)
        call = msgspec.structs.replace(call, asked=before.following)
        last = Meaning.END if wish.store else None
        try:
            async with aclosing(serve(call)) as frames:
                async for frame in frames:
                    is_last = frame.meaning is last
                    yield await self._keep(frame, call, wish, before) if is_last else frame
        except GatewayError as error:
            if wish.store and call.is_stream and error.last_event is not None:
                told = Frame(error.last_event, Meaning.END)
                error.last_event = (await self._keep(told, call, wish, before)).data
            raise

    async def _keep(self, frame: Frame, call: Call, wish: Wish, before: Before) -> Frame:
        """Keep an answer; return its last frame, which says so if that could not be done."""
        answer = answer_of(frame.data, is_stream=call.is_stream)
        said = None if answer is None else read_answer(answer)
        if answer is None or said is None:
            _log.warning("call=%s: its answer is not kept: it is none", call.call_id)
            return frame
        is_ours = said.id == own_response_id(call.call_id)
        output: Sequence[msgspec.Raw | bytes] = said.output
        if is_ours and before.writers:
            output = before.writers[-1]()
        provider = "" if frame.receipt is None else frame.receipt.target.provider
        is_upstream = not is_ours and said.store is True and self._keeps(provider)
        kept = Kept(
            key_id=call.key_id,
            response_id=said.id,
            status=said.status,
            body=answer,
            created_at_ns=self._archive.now_ns(),
            previous_id=wish.previous_response_id,
            provider=provider if is_upstream else None,
            upstream_id=said.id if is_upstream else None,
        )
        items = [*_input_rows(before, said.id), *output_rows(output, said.id)]
        try:
            await self._archive.keep(kept, items)
        except LedgerUnavailable as error:
            _log.error("call=%s: its answer is not kept: %s", call.call_id, error.message)
            data = as_unkept(frame.data, answer, is_stream=call.is_stream)
            return msgspec.structs.replace(frame, data=data)
        return frame

    async def _queued(self, call: Call, wish: Wish, begin: Callable[[str, str], None]) -> Frames:
        """Answer that the answer will be made; what is wrong with the request is told now."""
        before = await self.before(call.key_id, call.body, wish)
        following = before.following
        asked = read_asked(call.body, earlier=following.earlier, known=following.known)
        asked = msgspec.structs.replace(asked, echo=asked.echo | {"store": _STORED})
        response_id = own_response_id(call.call_id)
        now_ns = self._archive.now_ns()
        shown = ResponseObject(asked, response_id=response_id, created_s=now_ns // _NS).queued()
        body = msgspec.json.encode(shown)
        kept = Kept(
            key_id=call.key_id,
            response_id=response_id,
            status=Status.QUEUED,
            body=body,
            created_at_ns=now_ns,
            previous_id=wish.previous_response_id,
            request=with_wishes(without_fields(call.body, ("background",)), call.wishes),
        )
        try:
            await self._archive.keep(kept, _input_rows(before, response_id))
        except (
            asyncio.CancelledError
        ):  # the client left; a row that is there must not wait for ever
            begin(call.key_id, response_id)
            raise
        begin(call.key_id, response_id)
        # Nothing was used yet: what the request really costs is counted where it is made.
        yield Frame(body, Meaning.END, Usage())


def _check_twice(ids: Sequence[str], talk: Conversation) -> None:
    """Refuse, as OpenAI does, to say an item again that the conversation holds already."""
    twice = {item.item_id for item in talk.items} & set(ids)
    if twice:
        raise BadRequest(
            f"Duplicate item found with id {min(twice)}: 'previous_response_id' brings it, too. "
            "Remove it from 'input'.",
            param="input",
            code="invalid_value",
        )


def _input_rows(before: Before, response_id: str) -> list[KeptItem]:
    key = f"{response_id.removeprefix('resp_')}i"
    return _rows(kept_items(before.items, key, before.following.known), is_output=False)


def output_rows(output: Sequence[msgspec.Raw | bytes], response_id: str) -> list[KeptItem]:
    """Return the items of an answer as they are kept."""
    return _rows(kept_items(output, response_id.removeprefix("resp_")), is_output=True)


def _rows(items: Sequence[Item], *, is_output: bool) -> list[KeptItem]:
    return [KeptItem(item.item_id, item.body, is_output) for item in items]
