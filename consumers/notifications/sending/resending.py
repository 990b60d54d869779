"""Sends messages again for an operator, with a record of it."""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.notifications.reading import resend
from consumers.notifications.tables import SCHEMA
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.store.tables import RuntimeTables


async def resend_recorded(
    connection: AsyncConnection, ids: Sequence[UUID], who: str, about: Mapping[str, str]
) -> Sequence[UUID]:
    """Resend messages like `resend`, with a record of the operation.

    `about` is how they were chosen, and why.
    """
    done = await resend(connection, ids)
    detail = json.dumps({**about, "messages": [str(each) for each in done]})
    tables = RuntimeTables.of(SCHEMA)
    await record_operation(connection, tables, who, "notifications resend", detail)
    return done
