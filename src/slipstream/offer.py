"""What a client may ask for here: every public name, what it can do, and what lists tell of it."""

import time
from collections.abc import Mapping
from typing import Final

from slipstream.call import Call, Rates
from slipstream.choice import Target
from slipstream.config import Config
from slipstream.errors import UnknownModel, Unsupported
from slipstream.routing.names import AUTO, LOCAL, find_route
from slipstream.routing.plan import Planner
from slipstream.routing.routes import Catalogue
from slipstream.served import ServedModels
from slipstream.server.models import ModelList
from slipstream.server.profiles import CEREBRAS
from slipstream.targets import pricing_of
from slipstream.upstream.model_lists import ModelLists
from slipstream.upstream.relay import Relay
from slipstream.wire.cerebras.listing import Listed, usd_of
from slipstream.wire.cerebras.models import MODELS, CerebrasModel, row_for
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.counting import estimate_tokens

_STARTED_AT: Final = int(time.time())  # "created" of the models that have no date of their own
_GENERAL: Final = (AUTO, f"{AUTO}:cheapest", f"{AUTO}:fastest")  # whatever is configured


class Offer:
    """The public names of a configuration.

    Args:
        catalogue: What each of them stands for.
        lists: What the providers list themselves.
        relays: The providers, by name.
    """

    def __init__(
        self,
        config: Config,
        served: ServedModels,
        catalogue: Catalogue,
        planner: Planner,
        lists: ModelLists,
        relays: Mapping[str, Relay],
    ) -> None:
        self._config, self._served, self._relays = config, served, relays
        self._catalogue, self._planner, self._lists = catalogue, planner, lists
        self._price_of = pricing_of(config)
        self._rows = MODELS | {name: MODELS[like] for name, like in config.likenesses.items()}

    def row_of(self, name: str) -> CerebrasModel | None:
        """Return what a name can do under the Cerebras profile; None if it stands for nothing."""
        try:
            self._planner.plan_of(name)
        except UnknownModel:
            return None  # which the profile tells in its own words
        return row_for(name, self._rows)

    def is_public(self, name: str) -> bool:
        """Tell whether a name is told to callers without a key, as Cerebras tells its models."""
        config = self._config
        return config.profiles.get(name, config.server.profile) == CEREBRAS.name

    async def count_elsewhere(self, call: Call) -> int | None:
        """Return what the provider of a request in Messages counts; None where none does.

        Raises:
            UnknownModel: The name stands for nothing.
            UpstreamError: The provider finds fault with the request.
        """
        plan = self._planner.plan_of(call.model)
        target = plan.targets[0]
        relay = self._relays.get(target.provider)
        if relay is None or relay.count_messages is None:
            return None
        return await relay.count_messages(call, target.model, plan.deadlines)

    async def count_tokens(self, asked: Asked) -> int:
        """Return how many tokens a conversation has: exactly for a model of ours, else nearly.

        It is counted for the first target of its model's route that takes it.

        Raises:
            UnknownModel: The name stands for nothing.
            GatewayError: As an answer to it would, but that it may be too long.
        """
        plan = self._planner.plan_of(asked.model)
        refusals: list[Unsupported] = []
        for target in plan.targets:
            if target.provider != LOCAL:
                return estimate_tokens(asked)
            try:
                return await self._served.count(target.model, asked, plan.deadlines)
            except Unsupported as error:
                refusals.append(error)
        raise refusals[0]

    async def all_models(self) -> ModelList:
        """Return everything that a client may name, the providers' own lists included."""
        entries = [_entry(name, _STARTED_AT, "slipstream") for name in self._own_names()]
        for provider, model in await self._lists.entries():
            owner = model.owned_by or provider
            entries.append(_entry(f"{provider}/{model.id}", model.created or _STARTED_AT, owner))
        return entries

    def own_models(self) -> list[Listed]:
        """Return what Cerebras's lists tell of the names in the configuration."""
        found = ((name, find_route(name, self._catalogue)) for name in self._own_names())
        return [self._listed(name, route.targets[0]) for name, route in found if route is not None]

    def _own_names(self) -> list[str]:
        """Return every name that does not say where its requests go, each once."""
        config, catalogue = self._config, self._catalogue
        installed = (n for n, m in config.served.items() if self._served.is_installed(m))
        general = _GENERAL if catalogue.auto else ()
        return list(dict.fromkeys((*config.routes, *installed, *general, *catalogue.models)))

    def _listed(self, name: str, target: Target) -> Listed:
        row = row_for(name, self._rows)
        facts = self._catalogue.facts_of(target)
        fits, longest = facts.context_tokens, facts.max_output_tokens or facts.context_tokens
        price = self._price_of(target.provider, target.model, time.time_ns())
        rates = price.rates if price is not None and price.denominator == 1 else Rates()
        prompt, completion = rates.input_tokens, rates.output_tokens
        return Listed(
            name=name,
            row=row,
            context_tokens=min(row.max_context_tokens, fits or row.max_context_tokens),
            max_output_tokens=min(row.max_output_tokens, longest or row.max_output_tokens),
            is_priced=prompt is not None and completion is not None,
            prompt_usd=usd_of(prompt or 0),
            completion_usd=usd_of(completion or 0),
            cache_read_usd=usd_of(rates.cache_read_tokens or 0),
        )


def _entry(model_id: str, created: int, owner: str) -> dict[str, object]:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owner}
