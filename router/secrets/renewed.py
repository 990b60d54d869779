"""A credential in a file, read again once the file is another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError
from router.secrets.file_watch import Stamp, stamp
from router.telemetry.logs import get_log


@dataclass
class Renewed:
    """Something made of files, made again once one of them is another; the last one that was good.

    `make` raises ValueError or OSError, or ConfigurationError, where it cannot
    be made: then the log says so once, and the last one stays.
    """

    files: tuple[Path, ...]
    make: Callable[[], Any] = field(repr=False)
    last: Any = field(repr=False)
    what: str
    _stamps: tuple[Stamp, ...] = ()

    def __post_init__(self) -> None:
        """Take the files as they are for those it was made of."""
        self._stamps = tuple(map(stamp, self.files))

    def now(self) -> Any:  # noqa: ANN401 - whatever is made
        """Return what the files make now."""
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
