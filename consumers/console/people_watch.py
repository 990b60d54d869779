"""Follows the configuration: who is added or removed there is so at once, without a restart."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from consumers.console.access.people import People
from router.configuration.process_settings import ConsoleSettings
from router.errors import ConfigurationError
from router.secrets.file_watch import FileWatch

LOOK_SECONDS: Final = 1.0
"""Interval between checks of the file; the second check that sees a change reads it."""


@dataclass
class PeopleWatch:
    """Replaces people and groups when the file of the configuration changes.

    Other settings of the console take effect at its next start.
    """

    people: People
    file: Path | None
    read: Callable[[], ConsoleSettings] = field(repr=False)
    log: FilteringBoundLogger = field(repr=False)
    watch: FileWatch = field(default_factory=FileWatch)

    async def run(self) -> None:
        """Follow the file until cancelled."""
        self.watch.follow([] if self.file is None else [self.file])
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Check the file once."""
        if not self.watch.changed():
            return
        try:
            new = self.read()
        except ConfigurationError as error:
            self.log.warning("console_people_refused", error=str(error))
            return
        changes = {"users": new.users, "groups": new.groups}
        self.people.settings = self.people.settings.model_copy(update=changes)
        self.log.info("console_people_read", count=len(new.users))
