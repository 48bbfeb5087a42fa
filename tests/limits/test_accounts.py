"""One key's use of one model: all or nothing, corrections both ways, and what refusals say."""

import asyncio

import pytest

from slipstream.errors import OverLimit
from slipstream.limits.accounts import FREE, Account
from slipstream.limits.plan import limit_plan
from slipstream.limits.settings import LimitSettings
from tests.limits.clock import Clock


def _account(clock: Clock, **limits: int | str) -> Account:
    plan = limit_plan(LimitSettings(**limits))  # type: ignore[arg-type]
    assert plan is not None
    return Account(plan, lambda: clock.now_us)


def _left(account: Account) -> list[int]:
    return [level.remaining for level in account.levels()]


def test_refused_request_takes_nothing_from_any_bucket() -> None:
    """Neither is it counted among requests, nor are its tokens held."""
    account = _account(Clock(), requests_per_minute=5, tokens_per_minute=100, tokens_per_day=50)
    account.admit("m", 20, 20)
    before = _left(account)
    for _ in range(10):
        with pytest.raises(OverLimit):
            account.admit("m", 5, 6)
    assert _left(account) == before == [4, 60, 10]
    account.admit("m", 5, 5)


def test_cached_tokens_count_only_in_total() -> None:
    """Held as if nothing were cached; corrected when it is known."""
    account = _account(Clock(), uncached_tokens_per_minute=1000, tokens_per_minute=3000)
    admission = account.admit("m", 500, 200)
    assert _left(account) == [300, 2300]
    admission.settle(512, 384, 40)
    assert _left(account) == [1000 - 128 - 40, 3000 - 552]


def test_more_cached_than_read_gives_nothing_of_others_back() -> None:
    """A usage that makes no sense takes nothing from the uncached tokens, and adds none."""
    account = _account(Clock(), uncached_tokens_per_minute=1000)
    account.admit("m", 100, 100)
    account.admit("m", 100, 100).settle(100, 5000, 10)
    assert _left(account) == [800]


def test_settling_twice_corrects_once() -> None:
    """Neither a second settling nor a cancelling after it changes anything."""
    account = _account(Clock(), tokens_per_minute=1000)
    first = account.admit("m", 100, 400)
    account.admit("m", 100, 0)
    first.settle(100, 0, 50)
    first.settle(100, 0, 400)
    first.cancel()
    assert _left(account) == [750]


def test_cancelled_request_gives_tokens_back_and_stays_counted() -> None:
    """It was not answered, but it was sent."""
    account = _account(Clock(), requests_per_minute=5, tokens_per_minute=1000)
    account.admit("m", 100, 400).cancel()
    assert _left(account) == [4, 1000]


def test_answers_longer_than_what_was_held_are_owed() -> None:
    """The next request waits until the debt has refilled and its own tokens are there."""
    clock = Clock()
    account = _account(clock, tokens_per_minute=600)
    account.admit("m", 100, 400).settle(100, 0, 900)
    with pytest.raises(OverLimit) as caught:
        account.admit("m", 10, 10)
    assert caught.value.retry_after_s == 42.0  # 400 owed and 20 wanted, at 10 a second
    clock.wait(41.999)
    with pytest.raises(OverLimit):
        account.admit("m", 10, 10)
    clock.wait(0.001)
    account.admit("m", 10, 10)


def test_requests_alone_need_no_settling() -> None:
    """Where tokens are not limited, there is nothing to hold."""
    account = _account(Clock(), requests_per_hour=2)
    admission = account.admit("m", 10**9, 10**9)
    assert admission is FREE
    admission.settle(1, 1, 1)
    admission.cancel()
    assert _left(account) == [1]


def test_account_is_idle_when_it_is_full_and_nobody_is_inside() -> None:
    """Only then can it be made anew without a difference."""
    clock = Clock()
    account = _account(clock, requests_per_minute=60, tokens_per_minute=600)
    assert account.is_idle()
    admission = account.admit("m", 1, 1)
    clock.wait(3600)
    assert not account.is_idle()
    admission.settle(1, 0, 5)
    assert not account.is_idle()
    clock.wait(0.399999)  # the 4 that were used beyond what was held, at 10 a second
    assert not account.is_idle()
    clock.wait(0.000001)
    assert account.is_idle()


async def test_concurrent_admissions_share_what_there_is() -> None:
    """Of many tasks, as many are let in as fit, whatever their order of ending."""
    clock = Clock()
    account = _account(clock, requests_per_minute=50, tokens_per_minute=10_000)
    inside, most, refused = 0, 0, 0

    async def ask(number: int) -> None:
        nonlocal inside, most, refused
        try:
            admission = account.admit("m", 300, 700)
        except OverLimit:
            refused += 1
            return
        inside += 1
        most = max(most, inside)
        for _ in range(number * 7 % 5 + 1):
            await asyncio.sleep(0)
        inside -= 1
        admission.settle(300, 0, 100)

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(ask(number))
    assert (most, refused) == (10, 30)
    assert _left(account) == [40, 10_000 - 10 * 400]


# ---- what refusals say --------------------------------------------------------------------------


def _refusal(account: Account, input_tokens: int = 0, output_tokens: int = 0) -> OverLimit:
    with pytest.raises(OverLimit) as caught:
        account.admit("gpt-oss-120b", input_tokens, output_tokens)
    assert caught.value.status == 429
    return caught.value


def test_refusal_for_requests_names_limit_and_time() -> None:
    """The text says which limit, how much of it is left and when to come back."""
    clock = Clock()
    account = _account(clock, requests_per_minute=5)
    for _ in range(5):
        account.admit("gpt-oss-120b", 1, 1)
    clock.wait(2.5)
    error = _refusal(account)
    assert error.message == (
        "Rate limit reached for 'gpt-oss-120b': 5 requests per minute, of which none is left. "
        "Please try again in 9.5s."
    )
    assert (error.what, error.unit, error.retry_after_s) == ("requests", "minute", 9.5)
    assert error.kind == "requests"


def test_refusal_for_tokens_says_what_was_asked() -> None:
    """Input and what is reserved for the answer are told apart."""
    account = _account(Clock(), uncached_tokens_per_minute=30_000, tokens_per_minute=90_000)
    account.admit("gpt-oss-120b", 1_000, 16_384)
    error = _refusal(account, 116, 16_384)
    assert error.message == (
        "Rate limit reached for 'gpt-oss-120b': 30,000 uncached tokens per minute, of which "
        "12,616 are left, and the request asks for 16,500 (116 of input, 16,384 reserved for the "
        "answer). Please try again in 7.768s."
    )
    assert (error.what, error.unit, error.retry_after_s) == ("tokens", "minute", 7.768)


def test_refusal_names_the_limit_with_the_longest_wait() -> None:
    """Whoever comes back when it says so is let in, not sent away by the next limit."""
    clock = Clock()
    account = _account(clock, requests_per_minute=1, requests_per_day=1, tokens_per_hour=10)
    account.admit("m", 5, 5)
    error = _refusal(account, 1, 1)
    assert (error.what, error.unit, error.retry_after_s) == ("requests", "day", 86_400.0)
    assert "1 request per day, of which none is left." in error.message
    assert "24h0m0s" in error.message
    clock.wait(86_400)
    account.admit("m", 1, 1)


def test_refusal_of_a_request_larger_than_a_limit_says_that_waiting_is_no_use() -> None:
    """It names the smallest limit, how long an answer may be, and no time to come back."""
    account = _account(Clock(), requests_per_minute=5, tokens_per_day=20_000, tokens_per_hour=9_000)
    error = _refusal(account, 500, 16_384)
    assert error.message == (
        "The request is too large for the rate limit for 'gpt-oss-120b': it asks for 16,884 (500 "
        "of input, 16,384 reserved for the answer), and the limit is 9,000 tokens per hour. It "
        "cannot succeed, however long it waits. Bound the length of the answer to at "
        "most 8,500 tokens in all, or shorten the messages."
    )
    assert (error.what, error.unit, error.retry_after_s) == ("tokens", "hour", None)
    account.admit("m", 500, 8_500)
    assert _refusal(account, 9_000, 1).message.endswith("it waits. Shorten the messages.")


def test_refusal_of_a_whole_key_names_no_model() -> None:
    """The limit is not the model's; another would be refused as well."""
    account = _account(Clock(), requests_per_minute=1, tokens_per_minute=10, per="key")
    account.admit("m", 5, 4)
    assert _refusal(account, 1, 0).message.startswith("Rate limit reached: 1 request per minute,")
    assert "for the rate limit: it asks" in _refusal(account, 11, 0).message


def test_refusal_shortens_names_that_are_no_names() -> None:
    """A caller's text of any length does not come back whole."""
    account = _account(Clock(), requests_per_minute=1)
    account.admit("m" * 5000, 0, 0)
    with pytest.raises(OverLimit) as caught:
        account.admit("m" * 5000, 0, 0)
    assert len(caught.value.message) < 250


def test_refusal_says_one_is_left_in_the_singular() -> None:
    """The texts are read by people."""
    account = _account(Clock(), tokens_per_minute=10)
    account.admit("m", 9, 0)
    assert "10 tokens per minute, of which 1 is left, and" in _refusal(account, 2, 0).message
