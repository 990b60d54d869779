"""A credential in a file, read again when the file changes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError
from router.secrets.file_watch import Stamp, stamp
from router.telemetry.logs import get_log


@dataclass
class Renewed:
    """Value made from files, made again when one of them changes.

    If `make` raises ValueError, OSError or ConfigurationError, this is logged once,
    and the last value stays in force.
    """

    files: tuple[Path, ...]
    make: Callable[[], Any] = field(repr=False)
    last: Any = field(repr=False)
    what: str
    _stamps: tuple[Stamp, ...] = ()

    def __post_init__(self) -> None:
        """Store the stamps of the files."""
        self._stamps = tuple(map(stamp, self.files))

    def now(self) -> Any:  # noqa: ANN401 - the type of `make`
        """Return the current value."""
        stamps = tuple(map(stamp, self.files))
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self.last = self.make()
            except (ConfigurationError, OSError, ValueError) as error:
                get_log("credentials").warning(
                    "credentials_unusable", key=self.what, detail=str(error)
                )
        return self.last
