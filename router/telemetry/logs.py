"""Sets up logging: JSON for machines, colours on a terminal."""

import atexit
import json
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from router.telemetry.output import FAILED, FULL, MOST_BYTES, LogOutput
from router.telemetry.repeats import Repeats
from router.telemetry.sinks import sink_of

Log = FilteringBoundLogger
"""Type of the loggers that are passed to every part; none is made at import."""

EXIT_SECONDS = 2.0
"""How long a process that ends waits for the reader of its log."""

_QUIET = ("aiokafka", "uvicorn", "faststream", "sqlalchemy", "alembic", "asyncio")


class LineLogger:
    """A structlog logger that writes each line with one call."""

    def __init__(self, output: LogOutput) -> None:
        """Write to this output."""
        self._write = output.write

    def info(self, line: str) -> None:
        """Write a line; the level makes no difference."""
        self._write(line + "\n")

    debug = warning = error = critical = info


def configure_logging(
    level: str,
    form: Literal["auto", "json", "console"],
    *,
    most_bytes: int = MOST_BYTES,
    worker: int | None = None,
) -> None:
    """Write our log lines and the libraries' warnings to stderr, in one format.

    `auto` means console on a terminal and JSON otherwise. Lines of at most `most_bytes` wait if
    nothing reads stderr; further lines are dropped. Every line has the number of the worker, if
    one is given.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    log = get_log("process")
    output = LogOutput(
        sink_of(sys.stderr),
        lambda count: log.warning("log_lines_dropped", count=count),
        most_bytes,
    )
    named = {} if worker is None else {"worker": worker}
    processors = _console_processors(named) if console else [as_json(named)]
    structlog.configure(
        processors=[Threshold(level), *processors],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=LineLoggers(output, as_json=not console, worker=worker),
        # Assembled once per logger instead of once per line.
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(processors, stream=cast("TextIO", output))
    _log_unhandled_exceptions(log, output)
    atexit.register(output.drain, EXIT_SECONDS)


@dataclass(frozen=True)
class LineLoggers:
    """Makes the loggers that structlog calls at the end of its processors."""

    output: LogOutput
    as_json: bool
    worker: int | None = None

    def __call__(self, *_arguments: object) -> LineLogger:
        """Return a logger that writes to the output."""
        return LineLogger(self.output)


@dataclass(frozen=True)
class DirectJson:
    """Writes JSON lines that the caller has formatted: the line of every delivery.

    structlog needs several times as long for a line. It keeps its place among the lines written
    through structlog, but waits for the end of the turn of the event loop.
    """

    _output: LogOutput
    _threshold: "Threshold"
    _processors: Sequence[Processor]
    _worker: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether structlog still has the processors that `configure_logging` gave it.

        Tests replace them in place to capture lines.
        """
        return bool(self._processors) and self._processors[0] is self._threshold

    def wants(self, level: str) -> bool:
        """Return whether lines of this level are written at the moment."""
        return _SEVERITIES[level] >= _SEVERITIES[self._threshold.level]

    def write(self, line: str) -> None:
        """Write a line, given without its end."""
        if self._worker is not None:
            line = f'{line[:-1]}, "worker": {self._worker}}}'
        self._output.later(line + "\n")


def direct_json() -> DirectJson | None:
    """Return the direct way to the log; None if it is not JSON, or not configured."""
    configured = structlog.get_config()
    loggers, processors = configured["logger_factory"], configured["processors"]
    if not isinstance(loggers, LineLoggers) or not loggers.as_json:
        return None
    threshold = processors[0] if processors else None
    if not isinstance(threshold, Threshold):
        return None
    return DirectJson(loggers.output, threshold, processors, loggers.worker)


def dropped_lines() -> Mapping[str, int]:
    """Return how many lines of this process's log were dropped, by reason."""
    loggers = structlog.get_config()["logger_factory"]
    return loggers.output.dropped if isinstance(loggers, LineLoggers) else {FULL: 0, FAILED: 0}


class Threshold:
    """Drops lines below a level, which may change while loggers are in use."""

    def __init__(self, level: str) -> None:
        """Start with this level."""
        self.level = level

    def __call__(self, _logger: object, method: str, line: EventDict) -> EventDict:
        """Return the line, or drop it if its level is too low."""
        if _SEVERITIES.get(method, logging.CRITICAL) < _SEVERITIES[self.level]:
            raise structlog.DropEvent
        return line


_SEVERITIES: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


def set_level(level: str) -> None:
    """Change the level of all our loggers, including those in use."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, Threshold):
            processor.level = level


def get_log(component: str) -> Log:
    """Return a logger whose lines contain the component's name."""
    log: Log = structlog.get_logger(component=component)
    return log


def new_traceparent() -> str:
    """Make a new W3C trace context; deliveries arrive without one."""
    # Not from the kernel, which takes longer than all else here: it protects nothing.
    chance = f"{random.getrandbits(192):048x}"
    return f"00-{chance[:32]}-{chance[32:]}-01"


class Timestamp:
    """Formats the current time in UTC; the text of a second is made once."""

    def __init__(self) -> None:
        """Start without a text."""
        self._last = 0, ""

    def __call__(self) -> str:
        """Return the text, with microseconds unless there are none."""
        second, micro = divmod(time.time_ns() // 1000, 1_000_000)
        last, text = self._last
        if second != last:
            text = datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")
            self._last = second, text
        return f"{text}.{micro:06}Z" if micro else f"{text}Z"


def as_json(more: Mapping[str, object] | None = None) -> Processor:
    """Return a processor that renders JSON lines. It does everything in one step, for speed.

    A value without a JSON form is written as its `repr`. Every line has the fields `more`.
    """
    encode, timestamp, added = json.JSONEncoder(default=repr).encode, Timestamp(), more or {}

    def render(logger: object, method: str, line: EventDict) -> str:
        line["level"] = method
        line["timestamp"] = timestamp()
        line.update(added)
        if "exc_info" in line:
            line = structlog.processors.format_exc_info(logger, method, line)
        return encode(line)

    return render


def _console_processors(more: Mapping[str, object]) -> list[Processor]:
    def with_more(_logger: object, _method: str, line: EventDict) -> EventDict:
        line.update(more)
        return line

    return [
        with_more,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.format_exc_info,
        as_console(colours=sys.stderr.isatty() and "NO_COLOR" not in os.environ),
    ]


_DIM, _BOLD, _CYAN, _YELLOW, _RED, _PLAIN = (f"\x1b[{n}m" for n in (2, 1, 36, 33, 31, 0))
_EMPTY = {"", "none"}
_LEVELS = {"warning": _YELLOW, "error": _RED, "critical": _RED}


def as_console(*, colours: bool) -> Processor:
    """Return a processor that renders readable lines: time, component, event, non-empty fields."""

    def coloured(text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if colours else text

    def render(_logger: object, _method: str, line: EventDict) -> str:
        at, level = line.pop("timestamp"), line.pop("level")
        component = str(line.pop("component", None) or line.pop("logger", ""))
        event, exception = str(line.pop("event")), line.pop("exception", None)
        words = [coloured(at, _DIM), coloured(f"{component:<8}", _CYAN)]
        if level in _LEVELS:
            words.append(coloured(level, _LEVELS[level]))
        words.append(coloured(event, _BOLD))
        fields = ((key, plain(value)) for key, value in line.items())
        words += [
            f"{coloured(key + '=', _DIM)}{text}" for key, text in fields if text not in _EMPTY
        ]
        return " ".join(words) + (f"\n{exception}" if exception else "")

    return render


def plain(value: object) -> str:
    """Format a field's value for people; empty if it is None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(filter(None, map(plain, value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(plain, value))
    return str(value)


class _NoLock:
    """A lock that is always free, with the methods that logging calls."""

    def acquire(self) -> None:
        """Return at once."""

    def release(self) -> None:
        """Do nothing."""

    def __enter__(self) -> None:
        """Return at once."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def _at_fork_reinit(self) -> None:
        """Do nothing: called in a forked child."""


def _adopt_libraries(processors: Sequence[Processor], *, stream: TextIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *processors,
            ],
        )
    )
    handler.addFilter(Repeats())
    # The output has its own lock. A destructor that warns while it is held would wait for the
    # handler's, which a thread that waits for the output may hold.
    handler.lock = cast("Any", _NoLock())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _log_unhandled_exceptions(log: Log, output: LogOutput) -> None:
    """Log unhandled exceptions in our format too, which Python would print in its own.

    Exceptions of tasks that are not awaited need nothing here: asyncio's logger reports them.
    """

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            # Python prints it past the output.
            output.drain(EXIT_SECONDS)
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("uncaught_exception", exc_info=(kind, error, trace))

    def uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            thread = arguments.thread.name if arguments.thread else None
            log.critical("uncaught_exception", thread=thread, exc_info=arguments.exc_value)

    def unraisable(found: Any) -> None:  # noqa: ANN401 - a class that cannot be imported
        # Only the name: the object itself may contain a secret.
        where = getattr(found.object, "__qualname__", type(found.object).__qualname__)
        log.error("exception_ignored", where=where, exc_info=found.exc_value)

    sys.excepthook = uncaught
    sys.unraisablehook = unraisable
    threading.excepthook = uncaught_in_thread
    logging.captureWarnings(capture=True)
