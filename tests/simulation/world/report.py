"""Replaces the report of a consumer: adds to the story instead of counting and logging."""

from collections.abc import Callable, Iterable

from consumers.runtime.apply.brake import Brake
from consumers.runtime.apply.process import BatchResult
from consumers.runtime.member.halts import Halt
from consumers.runtime.records import Partition

Tell = Callable[[str], None]


class _Nothing:
    """Accepts every call and does nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return _ignore


def _ignore(*_: object, **__: object) -> None:
    return None


class SimReport:
    """Adds what one process does to the story."""

    def __init__(self, who: str, tell: Tell) -> None:
        """Tell it as what this process did."""
        self._who, self._tell = who, tell
        self.lag = _Nothing()

    def __getattr__(self, _name: str) -> Callable[..., None]:
        """Ignore what the story does not need."""
        return _ignore

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Tell an assignment."""
        self._tell(
            f"{self._who} is assigned {', '.join(map(str, sorted(partitions))) or 'nothing'}"
        )

    def batch(self, applied: BatchResult, records: int, _seconds: float) -> None:
        """Tell a batch."""
        fates = ", ".join(f"{n} {fate.value} in {at}" for (at, fate), n in applied.outcomes.items())
        self._tell(f"{self._who} applies a batch of {records}: {fates or 'nothing'}")

    def retrying(self, what: str, error: BaseException, attempt: int) -> None:
        """Add why something is tried again."""
        self._tell(f"{self._who} tries again ({what}, {attempt}): {type(error).__name__}")

    def halted(self, halt: Halt) -> None:
        """Tell a halt."""
        self._tell(f"{self._who} halts {halt.partition}: {halt.reason.value}")

    def fence_moved(self, partition: Partition) -> None:
        """Add that another process has moved a fence."""
        self._tell(f"{self._who} finds the fence of {partition} moved")

    def brake_pulled(self, brake: Brake) -> None:
        """Add that a topic is stopped."""
        self._tell(f"{self._who} sees the brake of {brake.topic}")

    def retried(self, tried: object) -> None:
        """Tell the result of a retry."""
        self._tell(f"{self._who} has retried a parked record: {tried}")

    def upkeep_failed(self, what: str, error: BaseException) -> None:
        """Add that a round of background work failed."""
        self._tell(f"{self._who} cannot do its work '{what}': {type(error).__name__}")
