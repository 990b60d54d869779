"""Declaration of a list: its columns, its filters, and how its rows are read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from consumers.console.web.visit import ConsoleVisit

Row = TypeVar("Row")


@dataclass(frozen=True)
class ListColumn(Generic[Row]):
    """A column: its name in CSV and JSON, the key of its heading, and its value.

    Values are text, numbers, Decimal, datetime, bool or None. `cell` is a macro of the list's
    `macros` that is called with the row; without it the value is shown as text.
    `numeric` aligns it to the right.
    """

    name: str
    heading: str
    value: Callable[[ConsoleVisit, Row], object]
    cell: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class ListFilter:
    """A filter: its name in the URL, the key of its label, and its kind.

    `choices` returns the values of a `choice` with their labels.
    """

    name: str
    label: str
    kind: Literal["text", "choice", "date", "number"] = "text"
    choices: Callable[[ConsoleVisit], Sequence[tuple[str, str]]] | None = None


@dataclass(frozen=True)
class ListedRows(Generic[Row]):
    """Some rows; `after` is the cursor of the next ones, None at the end.

    `note` names what was not read, if anything.
    """

    rows: Sequence[Row]
    after: str | None = None
    note: str = ""


@dataclass(frozen=True)
class ListQuestion:
    """What is read: values of filters by name, only those given; cursor; most rows."""

    filters: Mapping[str, str]
    after: str | None
    limit: int


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """A list of a page.

    `read` selects by `visit.viewer.accounts` in its query and raises WrongInput for a wrong filter
    or cursor. `command` returns the shell command that shows the same. `more` returns other values
    for the template, which extends `listing/list.html`.
    """

    name: str
    title: str
    columns: Sequence[ListColumn[Row]]
    read: Callable[[ConsoleVisit, ListQuestion], Awaitable[ListedRows[Row]]]
    command: Callable[[ConsoleVisit, Mapping[str, str]], str]
    filters: Sequence[ListFilter] = ()
    macros: str = ""
    template: str = "listing/list.html"
    live: bool = False
    limit: int = 50
    select: Callable[[Row], str] | None = None
    """Returns the value of a row's check box, by which actions of a selection name it."""
    more: Callable[[ConsoleVisit], Awaitable[Mapping[str, object]]] | None = None

    def given(self, visit: ConsoleVisit) -> Mapping[str, str]:
        """Return the values of the filters that the URL gives."""
        found = {each.name: visit.query.one(each.name) for each in self.filters}
        return {name: value for name, value in found.items() if value}
