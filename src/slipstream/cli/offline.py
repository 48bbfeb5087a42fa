"""A plan made of the configuration alone: what a gateway would choose that has measured nothing."""

import time

from slipstream.choosing import choosing
from slipstream.config import Config
from slipstream.offer import Offer
from slipstream.served import find_models
from slipstream.server.auth import NO_KEY
from slipstream.server.doors import doors_of
from slipstream.server.profiles import Profiles
from slipstream.server.routing_admin import call_to_explain, explained
from slipstream.server.routing_answers import ExplainRequest, PlannedCall
from slipstream.upstream.model_lists import ModelLists

_CALL_ID = "explain"


def offline_plan(config: Config, asked: ExplainRequest) -> PlannedCall:
    """Return what a gateway that has just been started would try for a request.

    Raises:
        GatewayError: As that gateway would answer.
    """
    served = find_models(config.engines, config.home)
    choice = choosing(config, served, time.monotonic)
    lists = ModelLists({}, time.monotonic)
    offer = Offer(config, served, choice.catalogue, choice.planner, lists, {})
    profiles = Profiles(config.server.profile, config.profiles)
    call = call_to_explain(asked, doors_of(offer.row_of), profiles, _CALL_ID, NO_KEY)
    return explained(call, choice.planner.explain)
