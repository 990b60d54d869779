"""Declaration of a page: its name, its routes, its place in the navigation."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from consumers.console.access.viewer import Role
from consumers.console.web.answers import PageAnswer
from consumers.console.web.visit import ConsoleVisit

PageHandler = Callable[[ConsoleVisit], Awaitable[PageAnswer]]


@dataclass(frozen=True)
class PageRoute:
    """A path below that of the page (`""`, `/{id}`), and who answers it.

    `acts` is whether it changes something: it is refused while actions are off.
    """

    path: str
    handler: PageHandler
    method: str = "GET"
    needs: Role = Role.VIEWER
    acts: bool = False


@dataclass(frozen=True)
class ConsolePage:
    """A page at `/NAME`; its text `NAME.nav` is its entry in the navigation."""

    name: str
    routes: Sequence[PageRoute]
    in_navigation: bool = True
