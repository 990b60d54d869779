"""Short lines and totals for the terminal of `payrouter dev`, from its processes' logs."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from router.telemetry.logs import as_console

LOG_AS_LINES: Final = {"PAYROUTER_LOG__FORMAT": "json", "PAYROUTER_LOG__LEVEL": "info"}
"""The configuration of a process whose log `Activity` reads."""

_STYLES: Final = {"accepted": "green", "quarantined": "yellow", "refused": "red", "failed": "red"}
_QUIET: Final = {"debug", "info"}
_APPLIED: Final = "applied"
_HELD: Final = {"parked": ("yellow", "parked"), "dead": ("red", "dlq")}
"""Outcomes that an operator looks at: the style, and the group of commands that lists them."""

_LENGTHY: Final = {"event_id", "account"}
"""Fields of a warning about one event that would wrap its line; `-v` prints them."""

_BETWEEN: Final = "  |  "


class Activity:
    """Prints one line per delivery and counts deliveries and applied records.

    Records that cannot be applied, warnings, errors, and text that is not a line of log (a
    traceback, a wrong configuration) are printed too. Everything else is dropped.
    """

    def __init__(self, console: Console) -> None:
        """Print to this console, the one of standard error."""
        self._console = console
        self._render = as_console(colours=False)
        self._deliveries: Counter[str] = Counter()
        self._applied: Counter[str] = Counter()

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self._console.print(Text(line), soft_wrap=True)

    def read(self, line: str) -> None:
        """Take a line that a process wrote to standard error, without its line end."""
        entry = _entry(line)
        if entry is None:
            self.say(line)
            return
        try:
            self._show(entry)
        except (AttributeError, TypeError, ValueError):
            # A consumer of another distribution may use these events with other fields.
            self.say(line)

    def _show(self, entry: Mapping[str, Any]) -> None:
        if entry.get("event") == "delivery":
            shown = _delivery(entry)
            self._deliveries[str(entry.get("outcome"))] += 1
            self._console.print(shown, soft_wrap=True)
        elif entry.get("event") == "batch":
            self._applied[str(entry.get("component"))] += int(entry.get(_APPLIED, 0))
            for outcome in _HELD:
                self._say_held(entry, outcome, int(entry.get(outcome, 0)))
        elif entry.get("event") == "parked_record_tried":
            self._say_held(entry, "dead", int(entry.get("outcome") == "dead"))
        elif entry.get("level") not in _QUIET:
            dropped = _LENGTHY if "event_id" in entry else ()
            fields = {name: value for name, value in entry.items() if name not in dropped}
            self.say(str(self._render(None, "", {**fields, "timestamp": _clock(entry)})))

    def _say_held(self, entry: Mapping[str, Any], outcome: str, count: int) -> None:
        if count:
            style, group = _HELD[outcome]
            name = str(entry.get("component"))
            text = Text(f"{_clock(entry)}  {name:<17}  ")
            text.append(f"{count} {outcome}", style=style)
            text.append(f"  payrouter {group} list {name}")
            self._console.print(text, soft_wrap=True)

    def totals(self) -> Text:
        """Return the totals as one line: deliveries by outcome, applied records by consumer."""
        total = self._deliveries.total()
        text = Text("1 delivery" if total == 1 else f"{total} deliveries", style="bold")
        outcomes = [f"{count} {name}" for name, count in sorted(self._deliveries.items())]
        applied = [f"{name} {count}" for name, count in sorted(self._applied.items())]
        if outcomes:
            text.append(": " + ", ".join(outcomes))
        if applied:
            text.append(f"{_BETWEEN}records applied: {', '.join(applied)}")
        return text

    def _rows(self) -> Text:
        """Return the totals as two lines, each short enough for most terminals."""
        return Text("\n").join(self.totals().split(_BETWEEN))

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Show the totals while the block runs: live on a terminal, elsewhere once at its end."""
        if not self._console.is_terminal:
            yield
            self._console.print(self.totals(), soft_wrap=True)
            return
        with Live(get_renderable=self._rows, console=self._console, refresh_per_second=4):
            yield


def _entry(line: str) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "event" in entry and "level" in entry else None


def _delivery(entry: Mapping[str, Any]) -> Text:
    outcome = str(entry.get("outcome"))
    text = Text(f"{_clock(entry)}  {entry.get('endpoint', ''):<17}  ")
    text.append(f"{outcome} {entry.get('status', '')}", style=_STYLES.get(outcome, ""))
    reason = entry.get("reason")
    if reason not in {None, "none"}:
        text.append(f"  {reason}")
    if outcome == "ignored":
        text.append(f"  {entry.get('detail')}")
    for event in entry.get("events") or ():
        text.append(f"  {event.get('type')} {event.get('reference')}".rstrip())
    text.append(f"  {entry.get('milliseconds', 0):.0f} ms", style="dim")
    return text


def _clock(entry: Mapping[str, Any]) -> str:
    try:
        at = datetime.fromisoformat(str(entry.get("timestamp")))
    except ValueError:
        return "--:--:--"
    return f"{at.astimezone():%H:%M:%S}"
