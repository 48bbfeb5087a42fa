"""What parent and child say to each other survives the way between them."""

import msgspec
import pytest

from slipstream.engine.weights.conversion import Failure, Progress, Said, Traits


@pytest.mark.parametrize(
    "said",
    [
        Progress("convert", 5, 10),
        Progress("prepare"),
        Failure("no 'é'"),
        Traits("llama", 256, 3, None, (2, 0), True, 2, 1, 16, "q8_0", {"gguf": "1"}),
    ],
)
def test_said_decodes_to_what_was_encoded(said: Said) -> None:
    """Each kind is told from the others by its tag."""
    assert msgspec.json.decode(msgspec.json.encode(said), type=Said) == said
