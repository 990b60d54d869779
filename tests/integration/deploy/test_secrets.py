"""The secrets of the compose file: made by one command, each for the processes that need it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.parts.deploy.system import (
    ROOT,
    SECRETS,
    SERVICES,
    SYSTEM,
    bind_mounts,
    environment,
    make_secrets,
    named_secrets,
    secrets_of,
)

PUBLIC = {"PAYROUTER_EDGE__PUBLIC_URL"}
"""Variables that are not secret although their names look like it: gateways see them."""


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


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_processes_get_the_secrets_they_name_and_no_others(service: str) -> None:
    texts = [*environment(service).values(), *_mounted_texts(service)]

    assert named_secrets(" ".join(texts)) == secrets_of(service)


def _mounted_texts(service: str) -> list[str]:
    paths = [ROOT / source for source in bind_mounts(service).values()]
    return [path.read_text() for path in paths if path.is_file()]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_variable_holds_a_secret(service: str) -> None:
    for name, value in environment(service).items():
        if name in PUBLIC:
            continue
        if re.search(r"PASSWORD|SECRET|_URL|KEY|TOKEN", name):
            assert value.startswith("/run/secrets/"), name


def test_secrets_stay_out_of_history_and_image() -> None:
    assert "deploy/secrets/*" in (ROOT / ".gitignore").read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text()

    assert "\n*\n" in ignored
    assert "secrets" not in ignored
