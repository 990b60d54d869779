"""Progress of a long run, on standard error, so that standard output is the result alone."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """Prints what runs now, behind the seconds since the start."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self, text: str) -> None:
        """Print one line."""
        sys.stderr.write(f"{time.monotonic() - self.began:5.0f} s  {text}\n")
        sys.stderr.flush()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began
