"""The database of a consumer, from its own table or `[database]`, and who reads it."""

from collections.abc import Callable, Mapping
from typing import Any

from router.configuration.database_url import database_url_now
from router.configuration.settings import Settings, read_database
from router.configuration.values import DatabaseSettings
from router.errors import ConfigurationError


def consumer_database(settings: Settings, own: Mapping[str, Any], under: str) -> DatabaseSettings:
    """Return the database of a consumer: its own table comes before `[database]`.

    Only `pooler` is inherited: without need it costs time, and where it is missing nothing works.
    """
    database = read_database(dict(own), under) if own else settings.database
    if database.url is None:
        message = (
            "database.url: missing, and no `payrouter dev` runs here; set it, or database.url_file"
        )
        raise ConfigurationError(message)
    pooler = database.pooler or settings.database.pooler
    return database.model_copy(update={"pooler": pooler})


def database_url(
    database: DatabaseSettings, own: Mapping[str, Any], under: str
) -> Callable[[], str]:
    """Return a function for the URL of a consumer's database, which reads its file at each call."""
    return database_url_now(database, under if own else "database")
