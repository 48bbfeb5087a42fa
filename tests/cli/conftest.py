"""A scripted provider in a process of its own, for tests of commands that are clients."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

_LIMIT_S = 30


@pytest.fixture(scope="module")
def mock_url() -> Iterator[str]:
    """Run `slipstream mock`; give its base URL."""
    command = [sys.executable, "-m", "slipstream", "mock", "--port", "0", "--model", "echo-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None, "the mock did not come up"
            yield found.group()
        finally:
            process.terminate()
            process.wait(_LIMIT_S)
