"""The watch on configuration files misses no change and never ends."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from router.configuration.settings import Settings, load_settings
from router.edge.app import EdgeProcess, build_edge
from router.edge.reload import ConfigurationSource
from tests.parts.edge.living_edge import Mount
from tests.parts.waiting import eventually


def _configuration(path: Path, *endpoints: tuple[str, Path]) -> Path:
    tables = [
        f'[endpoints.{name}]\nprovider = "resmic"\nsecret_files = ["{file}"]\n'
        for name, file in endpoints
    ]
    path.write_text("".join(tables))
    return path


@contextlib.asynccontextmanager
async def _following(config: Path, source: ConfigurationSource) -> AsyncIterator[EdgeProcess]:
    process = build_edge(load_settings(config, {}))
    async with process.reloading.following(source):
        yield process


def _secret_of(process: EdgeProcess, name: str) -> bytes | None:
    gate = process.app.gates.get(name)
    return gate.endpoint.keys[0].secret if gate else None


async def test_secret_replaced_just_after_its_first_read_is_applied(
    tmp_path: Path,
) -> None:
    mount = Mount(tmp_path / "secrets")
    mount.put({"one": "first-secret-of-one", "two": "first-secret-of-two"})
    config = _configuration(tmp_path / "payrouter.toml", ("one", mount.file("one")))

    def read() -> Settings:
        settings = load_settings(config, {})
        reads.append(settings)
        if "two" in settings.endpoints and not replaced:
            mount.put({"one": "first-secret-of-one", "two": "second-secret-of-two"})
            replaced.append(True)
        return settings

    replaced: list[bool] = []
    reads: list[Settings] = []
    async with _following(config, ConfigurationSource(read, lambda: config)) as process:
        # The check at the start is over, so that only the watch can see later changes.
        await eventually(lambda: len(reads) == 1)
        both = (("one", mount.file("one")), ("two", mount.file("two")))
        _configuration(config, *both)

        await eventually(lambda: _secret_of(process, "two") == b"second-secret-of-two")


async def test_unreadable_paths_do_not_end_the_watch(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret")
    config = _configuration(tmp_path / "payrouter.toml", ("one", file))
    asked: list[Path | None] = []

    def found() -> Path:
        asked.append(None)
        if len(asked) < 4:
            raise PermissionError
        return config

    source = ConfigurationSource(lambda: load_settings(config, {}), found)
    async with _following(config, source) as process:
        await eventually(lambda: len(asked) > 1)
        file.write_text("second-secret")

        await eventually(lambda: _secret_of(process, "one") == b"second-secret")
