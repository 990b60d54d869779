"""Finds the ledger accounts that an operator names, as `ledger balance` prints them.

Accounts of two networks may share a name. `NAME@NETWORK` then names one of them, and `NAME@` the
one without a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from urllib.parse import unquote

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import ACCOUNT
from consumers.ledger.chart import OPENED_BY_TRANSFERS, LedgerAccount, Purpose
from router.terminal.exits import CommandError

_SUGGESTED = 5
"""Maximum number of similar names in an error."""


async def read_accounts(connection: AsyncConnection) -> Sequence[LedgerAccount]:
    """Return every account of the books."""
    columns = (ACCOUNT.c.account, ACCOUNT.c.provider, ACCOUNT.c.purpose, ACCOUNT.c.network)
    rows = await connection.execute(select(*columns).order_by(ACCOUNT.c.name, ACCOUNT.c.network))
    return [
        LedgerAccount(row.account, row.provider, Purpose(row.purpose), row.network) for row in rows
    ]


def account_named(known: Sequence[LedgerAccount], name: str) -> LedgerAccount:
    """Return the account with this name: a known one, or a new one that a transfer may open.

    Raises CommandError if there is none, or more than one.
    """
    found = [each for each in known if each.name == name] or _of_network(known, name)
    if len(found) > 1:
        message = (
            f"{name} is on {len(found)} networks; name one of"
            f" {', '.join(_with_network(each) for each in found)}"
        )
        raise CommandError(message)
    return found[0] if found else _new(known, name)


def _of_network(known: Iterable[LedgerAccount], name: str) -> Sequence[LedgerAccount]:
    return [each for each in known if _with_network(each) == name]


def _with_network(account: LedgerAccount) -> str:
    return f"{account.name}@{account.network or ''}"


def _new(known: Sequence[LedgerAccount], name: str) -> LedgerAccount:
    new = _parsed(name)
    gateways = {(each.account, each.provider) for each in known}
    if new is not None and (new.account, new.provider) in gateways:
        return new
    message = f"there is no account {name}{_similar(known, name)}"
    raise CommandError(message)


def _parsed(name: str) -> LedgerAccount | None:
    """Return the new account with this name, or None if a transfer must not open it."""
    bare, _, network = name.partition("@")
    parts = bare.split(":")
    purposes: Mapping[str, Purpose] = {each.value: each for each in OPENED_BY_TRANSFERS}
    if len(parts) != 3 or parts[2] not in purposes:  # noqa: PLR2004
        return None
    account, provider = map(unquote, parts[:2])
    return LedgerAccount(account, provider, purposes[parts[2]], network or None)


def _similar(known: Iterable[LedgerAccount], name: str) -> str:
    names = {each.name for each in known}
    new = {replace(each, purpose=opened) for each in known for opened in OPENED_BY_TRANSFERS}
    possible = names | {each.name for each in new}
    near = get_close_matches(name, sorted(possible), _SUGGESTED) or sorted(names)[:_SUGGESTED]
    if not near:
        return "; the books have no accounts yet"
    return f"; did you mean {' or '.join(near)}? See `payrouter ledger balance`"
