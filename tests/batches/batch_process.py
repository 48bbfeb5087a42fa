"""A process that runs the batches of a folder, for tests that kill it.

    python batch_process.py FOLDER ASKED NUM_QUICK

Every line that it is asked is appended to ASKED before it is answered, so that a test knows. After
NUM_QUICK of them answers take long, so that there is time to kill it in the middle.
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from slipstream.batches.records import Answered, Ask
from slipstream.batches.run import Runner
from slipstream.batches.store import Store

QUICK_S = 0.002
SLOW_S = 0.2


async def main(folder: Path, asked: Path, num_quick: int) -> None:
    """Run until all batches have ended."""
    store = Store(folder)
    store.open()
    fd = os.open(asked, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    numbers = count(1)

    async def answer(ask: Ask) -> Answered:
        os.write(fd, ask.custom_id.encode() + b"\n")
        await asyncio.sleep(QUICK_S if next(numbers) <= num_quick else SLOW_S)
        body = b'{"text":"%s"}' % (b"x" * 3000)
        return Answered(status=200, request_id=f"req-{ask.custom_id}", body=body)

    runner = Runner(store, answer)
    runner.start()
    print("running", flush=True)
    while store.unfinished():
        await asyncio.sleep(0.01)
    await runner.stop()
    os.close(fd)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
