"""Roles per account, masking, passwords, and the count of failed sign-ins."""

import pytest

from consumers.console.access.attempts import Attempts
from consumers.console.access.masking import masked
from consumers.console.access.passwords import NOBODY, hashed, matches
from consumers.console.access.people import People
from consumers.console.access.viewer import Role, Viewer
from router.configuration.process_settings import ConsoleSettings

SETTINGS = ConsoleSettings.model_validate(
    {
        "users": {
            "maria": {"roles": {"shop": "operator"}, "personal": True},
            "none": {},
        },
        "groups": {
            "support": {"roles": {"*": "viewer"}},
            "lead": {"roles": {"shop": "admin"}},
        },
    }
)


@pytest.mark.parametrize(
    ("role", "account", "may"),
    [
        (Role.VIEWER, "shop", True),
        (Role.OPERATOR, "shop", True),
        (Role.ADMIN, "shop", False),
        (Role.VIEWER, "other", False),
        # No account: it belongs to all of them.
        (Role.VIEWER, None, False),
    ],
)
def test_role_counts_for_its_account(role: Role, account: str | None, *, may: bool) -> None:
    assert Viewer("maria", {"shop": Role.OPERATOR}).may(role, account) is may


def test_role_for_every_account_counts_for_each_and_for_all_together() -> None:
    viewer = Viewer("ada", {"*": Role.OPERATOR, "shop": Role.VIEWER})
    assert viewer.accounts is None
    assert all(viewer.may(Role.OPERATOR, account) for account in ("shop", "other", None))
    assert not viewer.may(Role.ADMIN, None)


def test_own_roles_and_those_of_groups_add_up() -> None:
    people = People(SETTINGS)
    viewer = people.named("maria", ["support", "lead", "unknown"])
    assert viewer is not None
    assert viewer.roles == {"*": Role.VIEWER, "shop": Role.ADMIN}
    assert viewer.personal
    assert people.named("eve", ["support"]) == Viewer("eve", {"*": Role.VIEWER})
    assert people.named("none") is people.named("eve", ["unknown"]) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("jane@example.com", "j•••@example.com"),
        ("Jane Doe", "J•••"),
        ("@example.com", "@•••"),
        ("", ""),
        (None, ""),
    ],
)
def test_masked_text_has_its_first_character_alone(text: str | None, shown: str) -> None:
    assert masked(text) == shown


def test_password_matches_its_own_hash_alone() -> None:
    kept = hashed("pässword ", log2n=4)
    assert kept != hashed("pässword ", log2n=4)
    assert matches("pässword ", kept)
    assert not matches("pässword", kept)
    assert not matches("", NOBODY)


def test_failed_sign_ins_count_by_name_and_by_source_for_a_while() -> None:
    attempts = Attempts(2)
    for second in (0, 1):
        attempts.fail("maria", "10.0.0.1", second)
    assert attempts.exceeded("maria", "10.0.0.2", 2)
    assert attempts.exceeded("ada", "10.0.0.1", 2)
    assert not attempts.exceeded("ada", "10.0.0.2", 2)
    assert not attempts.exceeded("maria", "10.0.0.1", 301)


def test_failed_sign_ins_take_bounded_memory() -> None:
    attempts = Attempts(3)
    for number in range(20_000):
        attempts.fail(f"name-{number}", "10.0.0.1", 0)
    assert len(attempts.failed) == 10_000
    assert attempts.exceeded("x", "10.0.0.1", 0)
