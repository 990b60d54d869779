"""Someone who uses the console, with the roles per account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

EVERY_ACCOUNT = "*"


class Role(IntEnum):
    """Rights of someone do with an account; each role includes those before it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True)
class Viewer:
    """Someone who is admitted."""

    name: str
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Role by account; `*` is every account."""
    personal: bool = False
    """Whether the person may see data about customers."""

    def role_for(self, account: str | None) -> Role | None:
        """Return the role for an account, None if there is none.

        Without an account it is the role for what belongs to no known account, or to all.
        """
        every = self.roles.get(EVERY_ACCOUNT)
        own = None if account is None else self.roles.get(account)
        return max((role for role in (every, own) if role is not None), default=None)

    def may(self, role: Role, account: str | None) -> bool:
        """Return whether the person has at least this role for an account; None is all of them."""
        own = self.role_for(account)
        return own is not None and own >= role

    def may_somewhere(self, role: Role) -> bool:
        """Return whether the person has at least this role for any account."""
        return any(own >= role for own in self.roles.values())

    @property
    def accounts(self) -> frozenset[str] | None:
        """The accounts that the person may see, None for every one."""
        if EVERY_ACCOUNT in self.roles:
            return None
        return frozenset(self.roles)
