"""deploy/secrets/create.sh makes every secret of the compose file, and no process needs more."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.parts.deploy.system import (
    OURS,
    SECRETS,
    SYSTEM,
    environment,
    make_secrets,
    secrets_of,
    settings_of,
)


def test_every_secret_is_a_file_that_create_makes_and_an_example_shows(tmp_path: Path) -> None:
    made = {path.name for path in make_secrets(tmp_path).iterdir()} - {"create.sh"}
    examples = {path.stem for path in SECRETS.glob("*.example")}

    assert made == examples == set(SYSTEM["secrets"])
    for name, secret in SYSTEM["secrets"].items():
        assert secret == {"file": f"deploy/secrets/{name}"}


def test_create_keeps_what_is_there_and_shuts_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "blockatm_key").write_text("sck_from_the_gateway\n")
    make_secrets(tmp_path)
    first = _contents(tmp_path)
    make_secrets(tmp_path)

    assert _contents(tmp_path) == first
    assert first["blockatm_key"] == "sck_from_the_gateway"
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def _contents(folder: Path) -> Mapping[str, str]:
    return {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_database_url_names_the_database_that_compose_makes(tmp_path: Path) -> None:
    secrets = _contents(make_secrets(tmp_path))
    database = environment("postgres")

    assert secrets["database_url"] == (
        f"postgresql+asyncpg://{database['POSTGRES_USER']}:{secrets['postgres_password']}"
        f"@postgres:5432/{database['POSTGRES_DB']}"
    )


@pytest.mark.parametrize("service", OURS)
def test_configuration_is_accepted_with_the_secrets_of_that_process_alone(
    service: str, tmp_path: Path
) -> None:
    settings = settings_of(service, tmp_path, make_secrets)

    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert bool(settings.endpoints) == (service == "edge")
    assert (settings.database.url is not None) == ("database_url" in secrets_of(service))
