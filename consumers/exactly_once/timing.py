"""How long the guard waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Pauses and time-outs of the guard, in seconds."""

    first_retry_seconds: float = 1
    longest_retry_seconds: float = 60
    check_seconds: float = 3
    """After so long the log may be another one: the broker is queried before the next record."""
    lock_seconds: float = 10
    """How long to wait for the fence while another process applies a record of the partition."""
    idle_seconds: float = 30
    """After so long without a statement the server ends a transaction, as of a frozen process."""

    def back_off(self, tries: int) -> float:
        """Return the pause before the next try."""
        return min(self.longest_retry_seconds, self.first_retry_seconds * 2.0 ** min(tries, 16))
