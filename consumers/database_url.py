"""Database of a consumer, as the configuration names it."""

from collections.abc import Callable, Mapping
from typing import Any

from router.configuration.database_url import database_url_now
from router.configuration.settings import Settings, read_database
from router.errors import ConfigurationError


def database_url(settings: Settings, own: Mapping[str, Any], under: str) -> Callable[[], str]:
    """Return a function for the URL of a consumer's database, which reads its file at each call.

    The consumer's own table comes before `[database]`.
    """
    database = read_database(dict(own), under) if own else settings.database
    if database.url is None:
        message = (
            "database.url: missing, and no `payrouter dev` runs here; set it, or database.url_file"
        )
        raise ConfigurationError(message)
    return database_url_now(database, under if own else "database")
