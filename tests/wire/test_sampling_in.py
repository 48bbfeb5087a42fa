"""Fields by which tokens are chosen, as chat and text completions share them."""

import msgspec
import pytest

from slipstream.wire.sampling_in import SampledBody
from slipstream.wire.talk.means import Sampling


@pytest.mark.parametrize(
    ("stop", "stops"), [(b'"a"', ("a",)), (b'["a","b"]', ("a", "b")), (b"null", ())]
)
def test_sampling_has_every_stop(stop: bytes, stops: tuple[str, ...]) -> None:
    """One text is as good as a list of one."""
    said = msgspec.json.decode(b'{"top_k":3,"stop":' + stop + b"}", type=SampledBody)

    assert said.sampling(logprobs=True) == Sampling(top_k=3, stop=stops, logprobs=True)
