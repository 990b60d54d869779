"""The image: made of what exists, by hash, and of nothing else."""

import re
import tomllib

import pytest

from tests.parts.deploy.system import PROJECT, ROOT, dockerfile


def _copied() -> list[str]:
    """Return what the Dockerfile takes out of the project's folder."""
    copies = [words for words in dockerfile("COPY") if not words[0].startswith("--from")]
    return [source for words in copies for source in words[:-1]]


def _let_into_the_image() -> list[str]:
    """Return what .dockerignore excepts from keeping out everything."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    return [line[1:] for line in rules if line.startswith("!")]


def test_dockerfile_copies_only_what_exists_and_dockerignore_lets_just_that_through() -> None:
    for source in _copied():
        assert (ROOT / source).exists(), source

    assert sorted(_let_into_the_image()) == sorted(_copied())


def test_image_holds_what_the_wheel_is_made_of() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]

    assert {*build["targets"]["wheel"]["packages"], "pyproject.toml"} <= set(_copied())
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= set(_copied())


def test_base_images_are_pinned_and_the_same() -> None:
    (image,) = {words[0] for words in dockerfile("FROM")}

    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image)


def test_image_runs_payrouter_as_an_unprivileged_user() -> None:
    (entrypoint,) = dockerfile("ENTRYPOINT")
    (user,) = dockerfile("USER")

    assert entrypoint == ['["payrouter"]']
    assert "payrouter" in PROJECT["scripts"]
    assert all(int(part) >= 10000 for part in user[0].split(":"))
    assert not dockerfile("HEALTHCHECK")


def test_everything_in_the_image_is_installed_by_hash() -> None:
    for words in dockerfile("RUN"):
        text = " ".join(words)
        for install in re.findall(r"pip install ([^&]*)", text):
            assert "--require-hashes" in install or "--no-deps /wheels/" in install, install


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/build.lock"])
def test_locks_pin_every_package_by_version_and_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    pins = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]

    assert pins
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_image_is_without_the_evaluation_parts() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    evaluation = [re.split(r"[<>=\[]", wanted)[0] for wanted in _extras("evaluation")]

    assert evaluation
    assert [name for name in evaluation if re.search(rf"^{name}==", lock, re.MULTILINE)] == []


def _extras(name: str) -> list[str]:
    extras: list[str] = PROJECT["optional-dependencies"][name]
    return extras
