"""Files that a running `dev` leaves for other commands, and the configuration in force."""

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import load_settings
from router.errors import ConfigurationError
from router.evaluation.data_dir import DataDir, config_path, resolve_settings
from router.providers import Example


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """Return a data directory in a new working directory."""
    monkeypatch.chdir(tmp_path)
    found = DataDir(tmp_path / "data")
    found.make()
    return found


def _announce(data_dir: DataDir, pid: object, **running: Any) -> None:  # noqa: ANN401 - JSON
    data_dir.running_file.write_text(json.dumps({"pid": pid, **running}))


def test_only_the_owner_may_read_the_files(data_dir: DataDir) -> None:
    data_dir.announce({"addresses": {}})
    generated = data_dir.generate({"blockatm": Example()})

    assert _mode(data_dir.path) == 0o700
    assert _mode(generated) == 0o600
    assert _mode(data_dir.running_file) == 0o600
    assert sorted(path.name for path in data_dir.path.iterdir()) == [
        "payrouter.toml",
        "running.json",
    ]


def test_a_generated_configuration_has_an_endpoint_of_each_gateway_with_its_own_secret(
    data_dir: DataDir,
) -> None:
    settings = load_settings(data_dir.generate({"resmic": Example(), "blockatm": Example()}), {})

    secrets = [e.secrets[0].get_secret_value() for e in settings.endpoints.values()]
    assert sorted(settings.endpoints) == ["blockatm", "resmic"]
    assert len(set(secrets)) == 2
    assert min(len(secret) for secret in secrets) >= 43


def test_private_key_is_next_to_the_configuration_and_readable_by_its_owner_only(
    data_dir: DataDir,
) -> None:
    private = b"-----BEGIN PRIVATE KEY-----\nnot really\n"
    example = Example({"public_keys": ["a\nb"], "flag": True}, private)

    generated = data_dir.generate({"blockatm": Example(), "blockbee": example}).read_text()
    table = tomllib.loads(generated)["endpoints"]["blockbee"]

    assert data_dir.signing_key("blockbee") == private
    assert data_dir.signing_key("blockatm") is None
    assert (table["public_keys"], table["flag"]) == (["a\nb"], True)
    assert "PRIVATE" not in generated
    assert _mode(data_dir.path / "signing-blockbee.pem") == 0o600


def test_running_dev_announces_its_public_url(data_dir: DataDir) -> None:
    own = data_dir.path / "own.toml"
    own.write_text('[edge]\npublic_url = "https://mine.example"')
    ports = {"edge": {"public_url": "https://tunnel.example"}}
    data_dir.announce({"ports": ports, "config": str(own)})

    assert resolve_settings(own, data_dir, {}).edge.public_url == "https://tunnel.example"
    other = data_dir.path / "other.toml"
    other.write_text('[edge]\npublic_url = "https://mine.example"')
    assert resolve_settings(other, data_dir, {}).edge.public_url == "https://mine.example"


def test_example_of_test_money_has_a_separate_account(data_dir: DataDir) -> None:
    made = data_dir.generate({"blockatm": Example(), "resmic": Example({"mode": "test"})})
    endpoints = load_settings(made, {}).endpoints

    assert {name: (each.mode, each.account) for name, each in endpoints.items()} == {
        "blockatm": ("live", "demo-shop"),
        "resmic": ("test", "demo-test"),
    }


def test_generated_configuration_is_not_overwritten(data_dir: DataDir) -> None:
    first = data_dir.generate({"blockatm": Example()}).read_text()

    assert data_dir.generate({"blockatm": Example(), "resmic": Example()}).read_text() == first


def test_two_directories_have_two_secrets(tmp_path: Path) -> None:
    texts = set()
    for name in ("a", "b"):
        data_dir = DataDir(tmp_path / name)
        data_dir.make()
        table = tomllib.loads(data_dir.generate({"blockatm": Example()}).read_text())
        texts.add(table["endpoints"]["blockatm"]["secrets"][0])

    assert len(texts) == 2


def test_announced_addresses_are_found_until_withdrawn(data_dir: DataDir) -> None:
    assert data_dir.running() is None
    data_dir.announce({"config": "a.toml"})
    assert data_dir.running() == {"pid": os.getpid(), "config": "a.toml"}
    data_dir.withdraw()
    assert data_dir.running() is None
    data_dir.withdraw()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "1"}', '{"pid": 1e99}', "\xff"])
def test_useless_file_is_not_a_running_dev(data_dir: DataDir, content: str) -> None:
    data_dir.running_file.write_bytes(content.encode("latin-1"))

    assert data_dir.running() is None


@pytest.mark.parametrize("pid", [0, -1, 10**30])
def test_number_that_is_not_a_single_process_is_not_a_running_dev(
    data_dir: DataDir, pid: int
) -> None:
    _announce(data_dir, pid)

    assert data_dir.running() is None


def test_addresses_of_a_running_dev_supply_missing_values(data_dir: DataDir) -> None:
    (data_dir.path / "own.toml").write_text('[edge]\nport = 7\n[kafka]\nclient_id = "own"')
    addresses = {
        "edge": {"port": 8, "management_port": 9},
        "kafka": {"bootstrap_servers": "found:1"},
        "database": {"url": "postgresql://found/database"},
    }
    data_dir.announce({"addresses": addresses})

    settings = resolve_settings(
        data_dir.path / "own.toml", data_dir, {"PAYROUTER_EDGE__MANAGEMENT_PORT": "10"}
    )

    assert (settings.edge.port, settings.edge.management_port) == (7, 10)
    assert (settings.kafka.client_id, settings.kafka.bootstrap_servers) == ("own", "found:1")
    assert settings.database.url is not None


def test_configuration_is_searched_in_a_fixed_order(data_dir: DataDir, tmp_path: Path) -> None:
    given, named, announced = tmp_path / "given", tmp_path / "named", tmp_path / "announced"
    environ = {"PAYROUTER_CONFIG": str(named)}

    assert config_path(None, data_dir, {}) is None
    generated = data_dir.generate({"blockatm": Example()})
    assert config_path(None, data_dir, {}) == generated
    Path("payrouter.toml").touch()
    assert config_path(None, data_dir, {}) == Path("payrouter.toml")
    data_dir.announce({"config": str(announced)})
    assert config_path(None, data_dir, {}) == announced
    assert config_path(None, data_dir, {"PAYROUTER_CONFIG": ""}) == announced
    assert config_path(None, data_dir, environ) == named
    assert config_path(given, data_dir, environ) == given


def test_missing_named_file_is_refused(data_dir: DataDir) -> None:
    with pytest.raises(ConfigurationError, match=r"^cannot read the configuration nothing\.toml:"):
        resolve_settings(Path("nothing.toml"), data_dir, {})


def test_a_directory_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(ConfigurationError) as refused:
        DataDir(tmp_path / "data").announce({})

    assert str(refused.value).startswith(f"cannot write {tmp_path / 'data' / 'running.json'}: ")
