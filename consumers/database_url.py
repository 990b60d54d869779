"""The database of a consumer, from its own table or `[database]`, and who reads it."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from router.configuration.settings import Settings, database_url_now, read_database
from router.configuration.values import DatabaseSettings
from router.errors import ConfigurationError


def consumer_database(settings: Settings, own: Mapping[str, Any], under: str) -> DatabaseSettings:
    """Return the database of a consumer: its own table comes before `[database]`.

    It inherits `pooler`: one too many costs time, without one that is needed nothing works. URLs of
    owner and reader are inherited only if they lead to a database of the same name.
    """
    common = settings.database
    database = read_database(dict(own), under) if own else common
    if database.url is None:
        message = (
            "database.url: missing, and no `payrouter dev` runs here; set it, or database.url_file"
        )
        raise ConfigurationError(message)
    name = _name(database.url)
    inherited = {
        key: getattr(database, key) or _if_same(getattr(common, key), name)
        for key in ("owner_url", "reader_url")
    }
    pooler = database.pooler or common.pooler
    return database.model_copy(update={**inherited, "pooler": pooler})


def _if_same(url: SecretStr | None, name: str | None) -> SecretStr | None:
    return url if url is not None and _name(url) == name else None


def _name(url: SecretStr) -> str | None:
    return urlsplit(url.get_secret_value()).path.lstrip("/") or None


def database_url(
    database: DatabaseSettings, own: Mapping[str, Any], under: str
) -> Callable[[], str]:
    """Return a function for the URL of a consumer's database, which reads its file at each call."""
    return database_url_now(database, under if own else "database")
