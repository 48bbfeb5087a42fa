"""Chooses the tokens of a batch from its logits, where guesses were computed several in a row.

What is chosen from a row depends on that row, on its request and on the tokens before it: never on
neighbours, nor on whether its predecessors were guessed. Row by row is also the quickest way: the
numbers of one row stay in the processor's cache, those of all do not.

Here a row is edited, masked and described; drawing.py draws from it at a temperature.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from slipstream.engine.drawing import Points, draw, largest, points, softmax
from slipstream.engine.masks import Mask, allows, forbid
from slipstream.engine.penalties import History
from slipstream.engine.sampling import Chosen, Sampling

__all__ = ["Chosen", "History", "Logits", "Mask", "Rows", "Sampling", "choose"]

Logits = npt.NDArray[np.float32]  # (rows, vocabulary)
Row = npt.NDArray[np.float32]  # (vocabulary,)

_LEAST_LOGPROB: Final = -9999.0  # see Chosen


@dataclass(slots=True)
class Rows:
    """The rows of logits that one choice wants: behind its newest token and behind each guess.

    Args:
        history: Its tokens without the guesses; needed where `sampling.has_penalties`.
        position: Of the token that the first row chooses, in prompt and answer together.
        guesses: Row i is meaningful only if the rows before it choose guesses[:i].
        masks: One for each row, None where all is allowed; empty without a grammar. Where they
            are fewer than the rows choosing ends with the last of them.
        banned: Tokens that are not to be chosen, such as those that end an answer which must be
            longer. They give way where a grammar allows nothing else.
        num_banned_rows: The first so many rows ban them; None bans them in all.
    """

    sampling: Sampling
    history: History | None
    position: int
    guesses: tuple[int, ...] = ()
    masks: Sequence[Mask | None] = ()
    banned: Collection[int] = ()
    num_banned_rows: int | None = None

    @property
    def num_rows(self) -> int:
        """How many rows of logits belong to it."""
        return 1 + len(self.guesses)


def choose(logits: Logits, rows: Sequence[Rows]) -> list[list[Chosen]]:
    """Choose tokens; `logits`, written to meanwhile, and the histories are left as they were.

    Returns:
        For each of `rows` 1 to 1 + len(guesses) tokens: all but the last equal the guesses.
    """
    chosen = []
    start = 0
    for wanted in rows:
        end = start + wanted.num_rows
        chosen.append(_choose_in_turn(logits[start:end], wanted))
        start = end
    assert start == len(logits), f"{len(logits)} rows of logits for {start} that are wanted"
    return chosen


def _choose_in_turn(logits: Logits, rows: Rows) -> list[Chosen]:
    """Go on exactly as long as a row chooses what was guessed behind it."""
    sampling = rows.sampling
    counts = rows.history if sampling.has_penalties else None
    assert counts is not None or not sampling.has_penalties, "penalties need a history"
    num_reachable = min(rows.num_rows, len(rows.masks) or rows.num_rows)
    chosen: list[Chosen] = []
    for number in range(num_reachable):
        token_id = _choose_one(logits[number], rows, number)
        chosen.append(_described(logits[number], token_id, sampling.num_logprobs))
        if number + 1 == num_reachable or token_id != rows.guesses[number]:
            break
        if counts is not None:
            counts.add((token_id,))
    if counts is not None:
        counts.remove(rows.guesses[: len(chosen) - 1])
    return chosen


def _choose_one(raw: Row, rows: Rows, number: int) -> int:
    mask = rows.masks[number] if rows.masks else None
    is_banning = rows.num_banned_rows is None or number < rows.num_banned_rows
    banned = list(rows.banned) if is_banning else []
    at = points(rows.sampling.seed, rows.position + number)
    if rows.sampling.has_penalties:  # they reach everywhere
        return _choose_edited(raw.copy(), rows, banned, mask, at)
    places = [*rows.sampling.bias_ids, *banned]
    if not places:
        return _pick(raw, rows.sampling, mask, at)
    before = raw[places]  # a few logits: quicker put back than the row copied
    try:
        return _choose_edited(raw, rows, banned, mask, at)
    finally:
        raw[places] = before


def _choose_edited(row: Row, rows: Rows, banned: list[int], mask: Mask | None, at: Points) -> int:
    """Choose with bias, penalties and bans, which are written into the row."""
    sampling = rows.sampling
    row[sampling.bias_ids] += sampling.bias
    if rows.history is not None and sampling.has_penalties:
        rows.history.penalise(row, sampling)
    needed = row[banned]
    row[banned] = -math.inf
    if mask is not None and banned and forbid(row, mask).max() == -math.inf:
        row[banned] = needed  # the grammar allows nothing else
    return _pick(row, sampling, mask, at)


def _pick(row: Row, sampling: Sampling, mask: Mask | None, at: Points) -> int:
    if mask is not None:
        top_id = int(row.argmax())
        if not allows(mask, top_id):
            row = forbid(row, mask)
        elif sampling.is_greedy:
            return top_id
    return int(row.argmax()) if sampling.is_greedy else draw(row, sampling, at, mask)


def _described(raw: Row, token_id: int, num_logprobs: int | None) -> Chosen:
    if num_logprobs is None:
        return Chosen(token_id)
    whole = softmax(raw, 1.0)
    log_total = math.log(whole.total) + whole.log_scale

    def logprob(of: int) -> float:
        # Rounding must not make anything more than certain.
        return max(min(float(raw[of]) - log_total, 0.0), _LEAST_LOGPROB)

    likeliest = largest(raw, num_logprobs).tolist() if num_logprobs else []
    return Chosen(token_id, logprob(token_id), tuple((of, logprob(of)) for of in likeliest))
