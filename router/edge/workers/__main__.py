"""`python -m router.edge.workers NUMBER LISTENER PARENT`: a worker, started by its parent.

LISTENER and PARENT are file descriptors that it inherits.
"""

import asyncio
import socket
import sys
from typing import NoReturn

from router.edge.workers.worker import run_worker
from router.terminal.processes import loop_factory


def main() -> NoReturn:
    """Run a worker."""
    listener, parent = (socket.socket(fileno=int(number)) for number in sys.argv[2:])
    for inherited in (listener, parent):
        inherited.set_inheritable(False)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        status = runner.run(run_worker(listener, parent))
    raise SystemExit(status)


if __name__ == "__main__":
    main()
