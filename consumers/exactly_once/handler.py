"""The service's handler: requirements, and whether it finished."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any, TypeAlias, TypeVar, get_type_hints

from faststream import Context
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.exactly_once.errors import UnsafeSubscriberError
from consumers.exactly_once.kinds import READERS
from consumers.runtime.records import Reader

SESSION = "payrouter_session"
"""Name of the session in FastStream's context."""

Session: TypeAlias = Annotated[AsyncSession, Context(SESSION)]
"""Annotation of the handler's session: everything through it is one transaction with the fence."""

Returned = TypeVar("Returned")


def finishing(
    handler: Callable[..., Awaitable[Returned]], finished: Callable[[], None]
) -> Callable[..., Awaitable[Returned]]:
    """Wrap a handler so that `finished` is called once it has returned.

    A middleware between the guard and the handler may swallow its exception.
    """

    @wraps(handler)
    async def wrapped(*args: object, **options: object) -> Returned:
        result = await handler(*args, **options)
        finished()
        return result

    return wrapped


def require_guardable(handler: Callable[..., Any]) -> None:
    """Raise UnsafeSubscriberError unless the handler is `async` and takes a `Session`."""
    name = getattr(handler, "__name__", str(handler))
    if not inspect.iscoroutinefunction(handler):
        message = f"{name}: declare it with `async def`; a session cannot be used in a thread"
        raise UnsafeSubscriberError(message)
    hints = get_type_hints(handler, include_extras=True)
    if Session not in hints.values():
        message = f"{name}: it has no parameter of type Session, so no effect of it is guarded"
        raise UnsafeSubscriberError(message)


def reader_of(handler: Callable[..., Any]) -> Reader:
    """Return the reader of the handler's first parameter, by its type."""
    hints = get_type_hints(handler)
    name = next(iter(inspect.signature(handler).parameters), "")
    wanted = hints.get(name)
    if wanted in READERS:
        return READERS[wanted]
    names = ", ".join(str(getattr(kind, "__name__", kind)) for kind in READERS)
    message = (
        f"{getattr(handler, '__name__', handler)}: its first parameter must be one of {names}, or"
        " the subscriber needs a `reader`"
    )
    raise UnsafeSubscriberError(message)
