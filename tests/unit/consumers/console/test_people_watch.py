"""Users and groups are read again when the configuration changes."""

from pathlib import Path

from structlog.testing import capture_logs

from consumers.console.access.people import People
from consumers.console.people_watch import PeopleWatch
from router.configuration.process_settings import ConsoleSettings
from router.configuration.settings import load_settings
from router.telemetry.logs import get_log

MARIA = '[console]\nport = 9999\n[console.users.maria]\nroles = { shop = "viewer" }\n'


def watching(path: Path) -> PeopleWatch:
    watch = PeopleWatch(
        People(ConsoleSettings()), path, lambda: load_settings(path, {}).console, get_log("console")
    )
    watch.watch.follow([path])
    return watch


def test_changed_users_are_in_force_and_other_settings_are_not(tmp_path: Path) -> None:
    path = tmp_path / "payrouter.toml"
    path.write_text("")
    watch = watching(path)
    path.write_text(MARIA)
    with capture_logs() as log:
        watch.look()
        watch.look()
    assert watch.people.named("maria") is not None
    assert watch.people.settings.port == ConsoleSettings().port
    assert [each["event"] for each in log] == ["console_people_read"]


def test_invalid_configuration_keeps_the_users(tmp_path: Path) -> None:
    path = tmp_path / "payrouter.toml"
    path.write_text(MARIA)
    watch = watching(path)
    watch.people.settings = load_settings(path, {}).console
    path.write_text(MARIA.replace('"viewer"', '"king"'))
    with capture_logs() as log:
        watch.look()
        watch.look()
    assert watch.people.named("maria") is not None
    assert [each["event"] for each in log] == ["console_people_refused"]
    assert "viewer" in log[0]["error"]
