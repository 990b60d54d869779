"""The URL of a database, read again for each new connection."""

from collections.abc import Callable

from router.configuration.settings import read_database
from router.configuration.values import DatabaseSettings
from router.secrets.renewed import Renewed


def database_url_now(database: DatabaseSettings, under: str) -> Callable[[], str]:
    """Return a function that returns the URL of a database and reads its file again if it changed.

    `under` is the key of its table, for the log.
    """
    file = database.url_file
    given = _text(database)
    if file is None:
        return lambda: given
    make = lambda: _text(read_database({"url_file": str(file)}, under))  # noqa: E731 - one word
    return Renewed((file,), make, given, f"{under}.url_file").now


def _text(database: DatabaseSettings) -> str:
    return database.url.get_secret_value() if database.url else ""
