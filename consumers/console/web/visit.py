"""One request after admission, as handlers of pages receive it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.console.access.masking import masked, without_addresses
from consumers.console.access.viewer import Role, Viewer
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import NotThere
from consumers.console.web.sources import ConsoleSources
from consumers.console.web.texts import PageTexts


@dataclass(frozen=True)
class VisitPreferences:
    """Texts of the person's language, and whether times are UTC or in the configured zone."""

    texts: PageTexts
    utc: bool = True


@dataclass(frozen=True)
class ConsoleVisit:
    """One request: who asks what, and from where the answer is read."""

    viewer: Viewer
    sources: ConsoleSources
    preferences: VisitPreferences
    now: datetime
    path: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    """Parts of the path that the route names in braces."""
    query: FormFields = field(default_factory=FormFields)
    form: FormFields = field(default_factory=FormFields)
    csrf: str = field(default="", repr=False)
    """Token that a form of this person has to send back in its field `csrf`."""
    done: str = ""
    """What the person's last action did, to be shown once."""

    @property
    def language(self) -> str:
        """The person's language: `en` or `de`."""
        return self.preferences.texts.language

    @property
    def zone(self) -> tzinfo:
        """The zone of the times that are shown."""
        return UTC if self.preferences.utc else ZoneInfo(self.sources.settings.console.zone)

    @property
    def who(self) -> str:
        """The name that records of actions keep."""
        return f"{self.viewer.name} (console)"

    def may_act(self, role: Role, account: str | None) -> bool:
        """Return whether the person may act on an account; None is all of them."""
        return self.sources.settings.console.actions and self.viewer.may(role, account)

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.parts[name])

    def number(self, name: str) -> int:
        """Return a part of the path that is a whole number; raises NotThere for anything else."""
        text = self.part(name)
        if not (text.isascii() and text.isdigit() and len(text) < len(str(1 << 63))):
            raise NotThere
        return int(text)

    def text(self, key: str, **values: object) -> str:
        """Return a text in the person's language."""
        return self.preferences.texts.text(key, **values)

    def count(self, key: str, number: int, **values: object) -> str:
        """Return the text `KEY.one` or `KEY.many` with its number as `n`."""
        return self.preferences.texts.count(key, number, **values)

    def personal(self, text: str | None) -> str:
        """Return a text about a customer, masked if the person may not see it."""
        return (text or "") if self.viewer.personal else masked(text)

    def free_text(self, text: str | None) -> str:
        """Return a text in which addresses are masked if the person may not see them."""
        return (text or "") if self.viewer.personal else without_addresses(text or "")

    def reading(self, consumer: str) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a read-only transaction of a consumer's database; raises TooSlow or Away."""
        return self.sources.reading(consumer)

    def acting(self, consumer: str) -> AbstractAsyncContextManager[AsyncEngine]:
        """Return the engine with which a consumer's database is changed."""
        return self.sources.acting(consumer)
