"""Which roles a database needs, by the URLs of the configuration, and their rights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import click
from pydantic import SecretStr

from consumers.roles.verifier import is_plain
from consumers.runtime.configured import Consumer
from consumers.runtime.store.engines import bare_url
from consumers.runtime.store.table_rights import table_needs

READ = ("SELECT",)


@dataclass(frozen=True)
class Login:
    """A role that signs in."""

    name: str
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SchemaRoles:
    """The schema of a consumer, its role, and the rights of this role by table."""

    schema: str
    role: str
    rights: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class DatabaseRoles:
    """The roles of one database."""

    database: str
    owner: Login
    members: Sequence[Login]
    reader: Login | None
    schemas: Sequence[SchemaRoles]

    @property
    def logins(self) -> Sequence[Login]:
        """Every role."""
        return [self.owner, *self.members, *([self.reader] if self.reader else [])]


def wanted_roles(consumers: Iterable[Consumer]) -> list[tuple[DatabaseRoles, Consumer]]:
    """Return the roles of every database of these consumers, each with one of its consumers.

    Raises UsageError if a role is missing in the configuration, or one has two purposes.
    """
    by_owner: dict[str, list[Consumer]] = {}
    for each in consumers:
        by_owner.setdefault(_required_owner(each).get_secret_value(), []).append(each)
    return [(_roles(found), found[0]) for found in by_owner.values()]


def schema_roles(consumer: Consumer) -> SchemaRoles:
    """Return the rights of a consumer's role on the tables of its schema."""
    service = consumer.service
    role = _login(consumer.settings.database_url).name
    return SchemaRoles(service.schema, role, table_needs(service))


def owner_of(consumer: Consumer) -> Login | None:
    """Return the role that owns the tables, None if the consumer has no separate one."""
    url = consumer.settings.owner_url
    return None if url is None else _login(url)


def reader_of(consumer: Consumer) -> Login | None:
    """Return the role of the listings, None if the consumer has no separate one."""
    url = consumer.settings.reader_url
    return None if url is None else _login(url)


def _required_owner(consumer: Consumer) -> SecretStr:
    url = consumer.settings.owner_url
    if url is None:
        message = (
            f"no owner's role for {consumer.service.name}: set database.owner_url_file to a file"
            " with the URL of the role that is to own the tables"
        )
        raise click.UsageError(message)
    return url


def _roles(consumers: Sequence[Consumer]) -> DatabaseRoles:
    first = consumers[0]
    owner_url = _required_owner(first)
    owner, reader = _login(owner_url), reader_of(first)
    members = {_login(each.settings.database_url).name: each for each in consumers}
    others = {*members, *([reader.name] if reader else [])}
    if owner.name in others or (reader and reader.name in members):
        message = (
            "the URLs of owner, reader and consumers need different users: a role with two"
            " purposes has the rights of both"
        )
        raise click.UsageError(message)
    return DatabaseRoles(
        str(bare_url(owner_url.get_secret_value()).database),
        owner,
        [_login(each.settings.database_url) for each in members.values()],
        reader,
        [schema_roles(each) for each in consumers],
    )


def _login(url: SecretStr) -> Login:
    read = bare_url(url.get_secret_value())
    name = read.username or read.query.get("user")
    if not name:
        message = "a URL of the database names no user, so there is no role to create"
        raise click.UsageError(message)
    password = str(read.password) if read.password else None
    if password is not None and not is_plain(password):
        message = (
            f"the password of {name} has characters other than visible ASCII, which clients read"
            " in different ways: choose another"
        )
        raise click.UsageError(message)
    return Login(str(name), password)
