"""How long the properties of this folder are tried: longer where SLIPSTREAM_FUZZ is a number."""

import os
from typing import Final

from hypothesis import settings

NUM_EXAMPLES: Final = int(os.environ.get("SLIPSTREAM_FUZZ") or 25)

many = settings(max_examples=NUM_EXAMPLES, derandomize="SLIPSTREAM_FUZZ" not in os.environ)
"""For a property: the same examples in every ordinary run, others in a long one."""
