"""Puts together what keeps answers of the Responses dialect: the archive, the layer, the endpoints.

The gateway reads and writes these itself, in a thread with a connection of its own, which is opened
when the first answer is to be kept or read.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import closing

from slipstream.call import Call, Dialect, Frames, Serve
from slipstream.catalog.providers import BY_NAME, ProviderRow
from slipstream.choice import Plan
from slipstream.config import Config
from slipstream.ledger.store import open_store
from slipstream.limits.rates import RateLimits
from slipstream.responses import rows, waiting_rows
from slipstream.responses.archive import Archive
from slipstream.responses.background import Background
from slipstream.server.exchange import Terms
from slipstream.server.inside import Told
from slipstream.server.paths import Endpoint
from slipstream.server.responses import ResponsesApi
from slipstream.server.responses_background import give_up, make_answer
from slipstream.server.responses_compacting import compacting
from slipstream.server.responses_counting import CountTokens, ResponsesCountEndpoints
from slipstream.server.responses_keeping import Keeping

PATH = "/v1/responses"
Ask = Callable[[bytes, str], Awaitable[Told]]


class KeptResponses:
    """Everything about answers that are kept.

    Args:
        ask: Asks the gateway itself for an answer: a body, and whose key.
    """

    def __init__(self, config: Config, database_url: str, ask: Ask) -> None:
        settings = config.responses
        self._database_url, self._endpoints = database_url, config.endpoints
        self._archive = Archive(
            lambda: open_store(database_url),
            keep_days=settings.keep_days,
            max_bytes=config.server.max_body_bytes,
            now_ns=time.time_ns,
        )
        self._background = Background(
            self._archive,
            lambda waiting: make_answer(ask, waiting),
            give_up,
            max_concurrent=settings.max_background,
        )
        self._keeping = Keeping(self._archive, self._keeps)

    def around(self, serve: Serve, plan: Callable[[Call], Plan]) -> Serve:
        """Return what answers calls, and keeps what is to be kept; others pass by.

        Args:
            plan: The targets of a call. Raises UnknownModel.
        """
        layers = {
            Dialect.OPENAI_RESPONSES: self._keeping.around(
                serve, check_model=plan, begin=self._background.begin
            ),
            Dialect.OPENAI_COMPACTION: compacting(
                serve, self._keeping, lambda call: self._compactor_of(plan(call))
            ),
        }

        def answer(call: Call) -> Frames:
            layer = layers.get(call.dialect)
            return serve(call) if layer is None else layer(call)

        return answer

    def _compactor_of(self, plan: Plan) -> str | None:
        """Return who makes conversations shorter, if one provider has all targets and does it."""
        providers = {target.provider for target in plan.targets}
        row = self._row_of(next(iter(providers))) if len(providers) == 1 else None
        return plan.targets[0].provider if row is not None and row.compacts_responses else None

    def _row_of(self, provider: str) -> ProviderRow | None:
        endpoint = self._endpoints.get(provider)
        return None if endpoint is None else BY_NAME.get(endpoint.row)

    def _keeps(self, provider: str) -> bool:
        row = self._row_of(provider)
        return row is not None and row.keeps_responses

    def endpoints(
        self, terms: Terms, count: CountTokens, limits: RateLimits
    ) -> dict[tuple[str, str], Endpoint]:
        """Return what is answered besides `/responses` itself.

        Args:
            limits: Of counting alone.
        """
        api = ResponsesApi(self._archive, self._background, terms.find_key)
        # Those of a fixed path come first: `{id}` would fit them, too.
        counting = ResponsesCountEndpoints(terms, self._keeping, count, limits)
        return counting.endpoints() | api.endpoints()

    def start(self) -> None:
        """Sweep, and go on with what a gateway before this one left undone.

        Raises:
            LedgerUnavailable: The database cannot be used.
        """
        with closing(open_store(self._database_url)) as store:
            num_swept = rows.sweep(store, self._archive.swept_before_ns)
            left = waiting_rows.unfinished(store)
        self._background.start(left, sweeps_now=num_swept == rows.SWEEP_BATCH)

    async def stop(self) -> None:
        """Cut what is being made, which is made at the next start, and let go of the database."""
        await self._background.stop()
        await self._archive.close()
