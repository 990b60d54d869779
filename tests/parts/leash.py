"""No server outlives the tests that started it, not even when they are killed."""

import subprocess
from typing import Final

_WATCH: Final = 'read -r _; kill -s "$1" "$0" 2>/dev/null'


class Leash:
    """A watcher that signals a process after the tests have ended.

    The watcher waits for the end of its standard input, which comes when this process closes it
    or ends, even if it is killed.
    """

    def __init__(self, pid: int, signal_name: str = "KILL") -> None:
        """Hold the process `pid`, which the caller has started."""
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, str(pid), signal_name],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def release(self) -> None:
        """End the watcher and leave the process alone: it has ended already."""
        with self._watcher as watcher:
            watcher.kill()
