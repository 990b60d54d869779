"""The secrets of the compose file: made by one command, each for the processes that need it."""

import re

import pytest

from tests.parts.deploy.system import (
    ROOT,
    SERVICES,
    bind_mounts,
    environment,
    named_secrets,
    secrets_of,
)

PUBLIC = {"PAYROUTER_EDGE__PUBLIC_URL"}
"""Variables that are not secret although their names look like it: gateways see them."""


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
