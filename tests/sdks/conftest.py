"""One gateway, one Node.js process and the Python SDKs' clients for all tests of this folder."""

from collections.abc import Iterator
from typing import cast

import openai
import pytest
from cerebras.cloud.sdk import Cerebras

from tests.sdks import node_host
from tests.sdks.asking import RUNNERS, Ask, Sdks, asking
from tests.sdks.gateway import Gateway, launched
from tests.sdks.node_host import NodeHost


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the embedded model under the ids of the documents."""
    with launched(tmp_path_factory.mktemp("sdks")) as running:
        yield running


@pytest.fixture(scope="session")
def node(gateway: Gateway) -> Iterator[NodeHost]:
    """What runs JavaScript; tests that need it are skipped where there is none."""
    problem = node_host.missing()
    if problem is not None:
        pytest.skip(problem)
    with node_host.hosting(gateway.url, gateway.key) as host:
        yield host


@pytest.fixture(scope="session")
def cerebras_client(gateway: Gateway) -> Iterator[Cerebras]:
    """The official client, strict about what it is answered, that does not retry."""
    with Cerebras(
        api_key=gateway.key,
        base_url=gateway.url,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture(scope="session")
def openai_client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client, strict as well."""
    with openai.OpenAI(
        api_key=gateway.key,
        base_url=gateway.openai_url,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
def sdks(gateway: Gateway, cerebras_client: Cerebras, openai_client: openai.OpenAI) -> Sdks:
    """The Python clients, and where they point."""
    return Sdks(gateway, cerebras_client, openai_client)


@pytest.fixture
def ask(sdks: Sdks, request: pytest.FixtureRequest) -> Ask:
    """What asks in the way of the test's parameter: which SDK, sync or async, stream or not."""
    runner = RUNNERS[cast(str, request.param)]
    host = request.getfixturevalue("node") if runner.is_node else None
    return asking(runner, sdks, host)
