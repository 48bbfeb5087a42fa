"""Rate limits of keys: who is let in, what is corrected afterwards, what answers tell of it; pure.

    key id ──▶ its name ──▶ [limits.NAME], or [limits.default] ──▶ a LimitPlan, or no limit
      └──▶ an Account for each model, or one for all

Everything is in memory and starts full. What can be thrown away without a difference is: accounts
that are as new ones would be. A key's further models share one account where it has too many.
"""

from collections.abc import Callable, Mapping
from typing import Final

from slipstream.limits.accounts import FREE, Account, Admission
from slipstream.limits.plan import LimitPlan, limit_plan
from slipstream.limits.settings import LimitSettings
from slipstream.limits.standing import Header, TellLevels, openai_headers

DEFAULT: Final = "default"
MAX_RESERVED_TOKENS: Final = 16_384  # cerebras-api.md, 4.1: field finding of 2026-09-04
MAX_MODELS_PER_KEY: Final = 1_000
MAX_MODEL_CHARS: Final = 200  # of a name that has an account of its own
SWEEP_AT_KEYS: Final = 1_000
SWEEP_EVERY_US: Final = 1_000_000
_WHOLE_KEY: Final = ""


def reserved_output_tokens(max_completion_tokens: int | None, num_choices: int = 1) -> int:
    """Return the output for which a request is let in.

    It is what the request itself allows, at most 16,384 for each choice; all 16,384 where it says
    nothing or -1.
    """
    if max_completion_tokens is None or max_completion_tokens < 0:
        return MAX_RESERVED_TOKENS * num_choices
    return min(max_completion_tokens, MAX_RESERVED_TOKENS) * num_choices


class RateLimits:
    """The limits of all keys.

    Args:
        limits: By the name of a key; `default` holds for every key without a table of its own, and
            for all callers together where no key is asked for.
        name_of: From a key's id to its name.
        now_s: A clock that only goes forward, such as the event loop's.
    """

    __slots__ = ("_keys", "_name_of", "_now_us", "_plans", "_sweep_at", "is_set")

    def __init__(
        self,
        limits: Mapping[str, LimitSettings],
        name_of: Callable[[str], str | None],
        now_s: Callable[[], float],
    ) -> None:
        self._plans = {name: limit_plan(settings) for name, settings in limits.items()}
        self.is_set = bool(limits)  # otherwise nobody needs to be asked for anything
        self._name_of = name_of
        self._now_us = lambda: round(now_s() * 1e6)
        self._keys: dict[str, _KeyAccounts] = {}
        self._sweep_at = SWEEP_AT_KEYS

    def admit(self, key_id: str, model: str, input_tokens: int, output_tokens: int) -> Admission:
        """Let a request in, and hold what it may use until its Admission is settled.

        One that is refused takes nothing and is not counted.

        Args:
            model: The public name that the caller asked for.
            input_tokens: An estimate; all of it is taken for uncached.
            output_tokens: What `reserved_output_tokens` returns.

        Raises:
            OverLimit: A limit has not as much left. Where several have not, it names the one for
                which the wait is the longest: after `retry_after_s` the request is let in, unless
                others came before it, and not earlier, unless answers turn out to be shorter than
                what was held for them.
                A request for more than a whole limit can never succeed, so its error says so and
                by how much to make it smaller, and has no `retry_after_s`: whoever waited would be
                refused again.
        """
        key = self._keys.get(key_id)
        if key is None:
            plan = self._plan_of(key_id)
            if plan is None:
                return FREE
            key = self._add(key_id, plan)
        return key.account(model).admit(model, input_tokens, output_tokens)

    def standing(self, key_id: str, model: str, tell: TellLevels = openai_headers) -> list[Header]:
        """Return the headers that tell how far the limits are used.

        Args:
            tell: In which API's words; it is given no level where no limit is set.
        """
        key = self._keys.get(key_id)
        plan = self._plan_of(key_id) if key is None else key.plan
        if plan is None:
            return tell(())
        account = None if key is None else key.find(model)
        return tell((account or Account(plan, self._now_us)).levels())

    @property
    def num_accounts(self) -> int:
        """How many accounts are in memory."""
        return sum(key.num_accounts for key in self._keys.values())

    def _plan_of(self, key_id: str) -> LimitPlan | None:
        plans = self._plans
        if not plans:
            return None
        name = self._name_of(key_id)
        return plans[name] if name is not None and name in plans else plans.get(DEFAULT)

    def _add(self, key_id: str, plan: LimitPlan) -> "_KeyAccounts":
        if len(self._keys) >= self._sweep_at:
            self._keys = {name: key for name, key in self._keys.items() if not key.is_idle()}
            self._sweep_at = max(SWEEP_AT_KEYS, 2 * len(self._keys))
        key = self._keys[key_id] = _KeyAccounts(plan, self._now_us)
        return key


class _KeyAccounts:
    """The accounts of one key: at most `MAX_MODELS_PER_KEY`, and one that all others share.

    A model without an account is in the shared one until that is idle, so that none gets a full
    bucket while what it used is still missing elsewhere.
    """

    __slots__ = ("_accounts", "_now_us", "_shared", "_sweep_from_us", "plan")

    def __init__(self, plan: LimitPlan, now_us: Callable[[], int]) -> None:
        self.plan = plan
        self._now_us = now_us
        self._accounts: dict[str, Account] = {}
        self._shared: Account | None = None
        self._sweep_from_us = 0

    @property
    def num_accounts(self) -> int:
        return len(self._accounts) + (self._shared is not None)

    def find(self, model: str) -> Account | None:
        """Return the account in which a model is; None where a new one would be made."""
        found = self._accounts.get(model if self.plan.is_per_model else _WHOLE_KEY)
        return self._shared if found is None else found

    def account(self, model: str) -> Account:
        """Return the account in which a model is from now on."""
        name = model if self.plan.is_per_model else _WHOLE_KEY
        found = self._accounts.get(name)
        if found is not None:
            return found
        if self._shared is not None and self._shared.is_idle():
            self._shared = None
        if self._shared is None and len(name) <= MAX_MODEL_CHARS and self._has_room():
            made = self._accounts[name] = Account(self.plan, self._now_us)
            return made
        if self._shared is None:
            self._shared = Account(self.plan, self._now_us)
        return self._shared

    def is_idle(self) -> bool:
        """Say whether nothing would be lost with it."""
        shared = () if self._shared is None else (self._shared,)
        return all(account.is_idle() for account in (*self._accounts.values(), *shared))

    def _has_room(self) -> bool:
        """Say whether one more account may be made; drop idle ones, at most once in a second."""
        if len(self._accounts) < MAX_MODELS_PER_KEY:
            return True
        now_us = self._now_us()
        if now_us < self._sweep_from_us:
            return False
        self._sweep_from_us = now_us + SWEEP_EVERY_US
        self._accounts = {n: each for n, each in self._accounts.items() if not each.is_idle()}
        return len(self._accounts) < MAX_MODELS_PER_KEY
