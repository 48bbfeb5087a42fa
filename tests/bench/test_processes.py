"""Started processes: pinned, counted with their children, and gone afterwards."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.processes import Tree, start
from tests.commands import is_alive

# A parent that sleeps and a detached child that works: the child is what costs.
_WORKING_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    started = start([sys.executable, "-c", _WORKING_CHILD], core=0, log=tmp_path / "log")
    deadline = time.monotonic() + 20
    while len(started.pids()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    yield started
    started.stop()


def test_tree_child_in_its_own_session_is_counted(tree: Tree) -> None:
    """CPU and memory of a helper process belong to the contestant, even if it detached itself."""
    deadline = time.monotonic() + 20
    while tree.cpu_s() < 0.3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert tree.cpu_s() >= 0.3
    assert tree.memory().num_processes == 2
    assert tree.memory().pss_bytes <= tree.memory().rss_bytes <= tree.memory().peak_rss_bytes


def test_tree_frozen_costs_nothing(tree: Tree) -> None:
    """A frozen contestant takes no time from the one under test, and runs on when thawed."""
    tree.freeze()
    time.sleep(0.05)  # a stop signal lands at the next return to user space
    before_s = tree.cpu_s()
    time.sleep(0.2)
    assert tree.cpu_s() == before_s
    tree.thaw()
    deadline = time.monotonic() + 20
    while tree.cpu_s() == before_s and time.monotonic() < deadline:
        time.sleep(0.01)
    assert tree.cpu_s() > before_s


def test_tree_started_on_a_core_stays_there_with_its_children(tree: Tree) -> None:
    """The pin is inherited: gateway and load never share a core."""
    assert [os.sched_getaffinity(pid) for pid in tree.pids()] == [{0}, {0}]


def test_tree_stopped_leaves_nothing(tmp_path: Path) -> None:
    """Stopping ends the detached child too, and a frozen tree."""
    started = start([sys.executable, "-c", _WORKING_CHILD], core=0, log=tmp_path / "log")
    deadline = time.monotonic() + 20
    while len(started.pids()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    pids = started.pids()
    started.freeze()
    started.stop()
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
