"""The people of the configuration: finds one by name and groups."""

from collections.abc import Iterable
from dataclasses import dataclass

from consumers.console.access.viewer import EVERY_ACCOUNT, Role, Viewer
from router.configuration.process_settings import (
    ConsoleGroupSettings,
    ConsoleSettings,
    ConsoleUserSettings,
)

WITHOUT_SIGN_IN = "local"
"""Name of the person on the loopback interface if there is no way to sign in."""


@dataclass
class People:
    """Everybody who may use the console; `settings` are replaced when the configuration changes."""

    settings: ConsoleSettings

    def named(self, name: str, groups: Iterable[str] = ()) -> Viewer | None:
        """Return someone by name and groups, None if neither has a role."""
        own = self.settings.users.get(name)
        found = [self.settings.groups[group] for group in groups if group in self.settings.groups]
        grants: list[ConsoleUserSettings | ConsoleGroupSettings] = [*found]
        if own is not None:
            grants.append(own)
        roles: dict[str, Role] = {}
        for grant in grants:
            for account, role in grant.roles.items():
                roles[account] = max(roles.get(account, Role.VIEWER), Role[role.upper()])
        if not roles:
            return None
        return Viewer(name, roles, personal=any(grant.personal for grant in grants))

    def local(self) -> Viewer:
        """Return the person on the loopback interface if there is no way to sign in."""
        return Viewer(WITHOUT_SIGN_IN, {EVERY_ACCOUNT: Role.ADMIN}, personal=True)

    def password_hash(self, name: str) -> str | None:
        """Return the hash of someone's password, None if there is none."""
        own = self.settings.users.get(name)
        if own is None or own.password_hash is None:
            return None
        return own.password_hash.get_secret_value()
