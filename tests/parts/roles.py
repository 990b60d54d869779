"""The roles of a deployment with least privilege, on a database of the tests' server."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from tests.parts.databases import execute

CONSUMERS = ("ledger", "inventory", "notifications")


@dataclass(frozen=True)
class RolesOfTest:
    """A database and the names of its roles, which belong to the whole server."""

    url: str
    """The database's URL for an administrator."""
    mark: str

    def url_of(self, purpose: str, base: str | None = None) -> str:
        """Return the URL of a role, with a password, at the server or at another address."""
        url = make_url(base or self.url).set(username=self.name(purpose), password=self.password())
        return url.render_as_string(hide_password=False)

    def name(self, purpose: str) -> str:
        """Return the name of a role."""
        return f"{purpose}_{self.mark}"

    def password(self) -> str:
        """Return the password of every role."""
        return f"never-printed-{self.mark}"

    @property
    def names(self) -> list[str]:
        """Names of all roles."""
        return [self.name(purpose) for purpose in (*CONSUMERS, "owner", "reader")]

    def tables(self, through: Callable[[str], str] = str) -> str:
        """Return the configuration's tables of the databases; the last is `[database]`.

        Consumers connect through a pooler, whose address `through` puts into a URL.
        """
        own = (
            f'[consumers.{name}.database]\nurl = "{through(self.url_of(name))}"\n'
            for name in CONSUMERS
        )
        return (
            "".join(own) + f'[database]\nurl = "{through(self.url_of("ledger"))}"\n'
            f'owner_url = "{self.url_of("owner")}"\nreader_url = "{self.url_of("reader")}"\n'
        )

    def admin_file(self, folder: Path) -> str:
        """Write the administrator's URL into a file and return its path."""
        file = folder / "admin_url"
        file.write_text(self.url, encoding="utf-8")
        return str(file)


@contextmanager
def roles_of(url: str) -> Iterator[RolesOfTest]:
    """Give names for roles of a database, and drop the roles afterwards."""
    roles = RolesOfTest(url, uuid.uuid4().hex[:8])
    try:
        yield roles
    finally:
        for name in roles.names:
            _drop(url, name)


def _drop(url: str, role: str) -> None:
    execute(
        url,
        f"DO $$ BEGIN IF to_regrole('{role}') IS NOT NULL THEN"
        f' DROP OWNED BY "{role}" CASCADE; DROP ROLE "{role}"; END IF; END $$',
    )
