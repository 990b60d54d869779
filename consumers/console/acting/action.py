"""Declaration of an action, and what it is about to do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from consumers.console.access.viewer import Role
from consumers.console.web.form_fields import FormFields
from consumers.console.web.visit import ConsoleVisit


@dataclass(frozen=True)
class ActionField:
    """A field that the person fills in: its name, the key of its label, its choices if any."""

    name: str
    label: str
    choices: Callable[[ConsoleVisit], Sequence[tuple[str, str]]] | None = None
    required: bool = False


@dataclass(frozen=True)
class ActionPreview:
    """What an action would do: how many things, some of them as lines, and whose they are.

    `accounts` are those that it touches; None in it is something of no known account, or of all.
    `command` is the shell command that does the same.
    """

    count: int
    accounts: frozenset[str | None]
    lines: Sequence[str] = ()
    command: str = ""
    warning: str = ""
    fields: FormFields = field(default_factory=FormFields)
    """Fields that name exactly what was previewed, sent back instead of those given."""


@dataclass(frozen=True)
class ActionDone:
    """What an action did, as a sentence, and the path of the page that shows it."""

    sentence: str
    path: str


@dataclass(frozen=True)
class ConsoleAction:
    """An action at `/PAGE/do/NAME`.

    GET shows the preview of what its query names, POST does it. `preview` raises NotThere or
    WrongInput, and selects by `visit.viewer.accounts`. `run` receives the fields and the reason,
    does the work, and writes its `operation` row in the same transaction with `visit.who`.
    Its texts are `title`, `button` and `explain` below `key`.
    """

    name: str
    key: str
    needs: Role
    preview: Callable[[ConsoleVisit, FormFields], Awaitable[ActionPreview]]
    run: Callable[[ConsoleVisit, FormFields, str], Awaitable[ActionDone]]
    fields: Sequence[ActionField] = ()
    back: str = "/"
