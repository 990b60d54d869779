"""Secrets in separate files: read into the tables that name them."""

from collections.abc import Mapping
from typing import Any, Final

from router.configuration.values import as_tuple
from router.secrets.secret_file import secret_in

_STAND_IN: Final = {
    "sasl_password": "unread",
    "session_secret": "unread-unread-unread-unread-unread",
    "client_secret": "unread",
    "url": "postgresql://localhost/unread",
    "owner_url": "postgresql://localhost/unread",
    "reader_url": "postgresql://localhost/unread",
}
"""Substitutes for a file that cannot be read, so that everything else can still be checked."""


def with_secrets_read(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration with the secrets of its files, and the problems of unreadable files.

    The default account of an endpoint is its name.
    """
    read = dict(values)
    problems: list[str] = []
    if isinstance(values.get("endpoints"), Mapping):
        read["endpoints"] = {
            name: _endpoint(name, table, problems) for name, table in values["endpoints"].items()
        }
    for under, file_key, key in _FILES:
        if under in values:
            read[under], found = read_secret_file(read[under], file_key, key, under)
            problems += found
    console = read.get("console")
    if isinstance(console, Mapping) and "oidc" in console:
        key = "client_secret"
        oidc, found = read_secret_file(console["oidc"], f"{key}_file", key, "console.oidc")
        problems += found
        read["console"] = {**console, "oidc": oidc}
    return read, problems


_DATABASE_FILES: Final = tuple((f"{key}_file", key) for key in ("url", "owner_url", "reader_url"))

_FILES: Final = (
    *(("database", file_key, key) for file_key, key in _DATABASE_FILES),
    ("kafka", "sasl_password_file", "sasl_password"),
    ("console", "session_secret_file", "session_secret"),
)


def read_database_files(table: object, under: str) -> tuple[object, list[str]]:
    """Return a table of a database with the URLs of its files, and their problems."""
    problems: list[str] = []
    for file_key, key in _DATABASE_FILES:
        table, found = read_secret_file(table, file_key, key, under)
        problems += found
    return table, problems


def read_secret_file(
    table: object, file_key: str, key: str, under: str
) -> tuple[object, list[str]]:
    """Return a table with the secret of its file under `key`, and its problems."""
    if not isinstance(table, Mapping) or file_key not in table:
        return table, []
    if key in table:
        return table, [f"{under}.{file_key}: {key} is given as well"]
    try:
        return {**table, key: secret_in(table[file_key])}, []
    except ValueError as error:
        return {**table, key: _STAND_IN[key]}, [f"{under}.{file_key}: {error}"]


def _endpoint(name: str, table: object, problems: list[str]) -> object:
    if not isinstance(table, Mapping):
        return table
    read = {"account": name, **table}
    files, given = (as_tuple(table.get(key, ())) for key in ("secret_files", "secrets"))
    if isinstance(files, list | tuple) and isinstance(given, list | tuple) and files:
        read["secrets"] = [*given, *(_secret(name, file, problems) for file in files)]
    return read


def _secret(name: str, file: object, problems: list[str]) -> str:
    try:
        return secret_in(file)
    except ValueError as error:
        problems.append(f"endpoints.{name}.secret_files: {error}")
        # Each is different, or two of them would look like one secret of two accounts.
        return f"unread-{len(problems)}"
