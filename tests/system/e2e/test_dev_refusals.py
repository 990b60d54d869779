"""`payrouter dev` reports invalid settings in one line before it starts anything."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from consumers.cli import main
from tests.parts.dev_process import Place, Said, free_port, place_in

SECRET = "never-to-be-printed-0123456789"
OTHER = "never-to-be-printed-9876543210"
ENDPOINT = {
    "PAYROUTER_ENDPOINTS__SHOP__PROVIDER": "blockatm",
    "PAYROUTER_ENDPOINTS__SHOP__SECRETS": SECRET,
}
GOOD = f"""
[endpoints.shop]
provider = "blockatm"
secrets = ["{SECRET}"]
"""

WRONG_FILES = {
    "unknown key": (f'{GOOD}\nsecretz = "{OTHER}"', "endpoints.shop.secretz: unknown key"),
    "unknown table": (f"{GOOD}\n[kafkaa]\n", "kafkaa: unknown key"),
    "no secret": ('[endpoints.shop]\nprovider = "blockatm"', "endpoints.shop: no secret"),
    "unknown provider": (
        GOOD.replace("blockatm", "blockatn"),
        "endpoints.shop.provider: unknown provider blockatn",
    ),
    "same secret, other account": (
        GOOD + GOOD.replace("shop", "shop-two"),
        "endpoints.shop-two.secrets: the same secret",
    ),
    "bad database": (
        f'{GOOD}\n[database]\nurl = "mysql://payrouter:{OTHER}@host/db"',
        "database.url: expected postgresql+asyncpg://",
    ),
    "bad database of a consumer": (
        f'{GOOD}\n[consumers.ledger.database]\nurl = "mysql://payrouter:{OTHER}@host/db"',
        "consumers.ledger.database.url: expected postgresql+asyncpg://",
    ),
    "unknown consumer": (f"{GOOD}\n[consumers.leger]\n", "consumers.leger: there is no such"),
    "unknown key of a consumer": (
        f"{GOOD}\n[consumers.ledger]\nbatch = 5",
        "consumers.ledger.batch: unknown key",
    ),
    "no room": (
        f"{GOOD}\n[edge]\nbody_limit_bytes = 1048576",
        "edge.body_limit_bytes: a body of 1048576",
    ),
    "no TOML": (f'secrets = "{OTHER}', "is not TOML"),
}

WRONG_VARIABLES = {
    "unknown key": ({**ENDPOINT, "PAYROUTER_EDGE__PROT": "1"}, "edge.prot: unknown key"),
    "no secret": ({"PAYROUTER_ENDPOINTS__SHOP__PROVIDER": "blockatm"}, "endpoints.shop: no secret"),
    "unknown provider": (
        {**ENDPOINT, "PAYROUTER_ENDPOINTS__SHOP__PROVIDER": "blockatn"},
        "endpoints.shop.provider: unknown provider blockatn",
    ),
    "same secret, other account": (
        {
            **ENDPOINT,
            "PAYROUTER_ENDPOINTS__TWO__PROVIDER": "blockatm",
            "PAYROUTER_ENDPOINTS__TWO__SECRETS": SECRET,
        },
        "endpoints.two.secrets: the same secret",
    ),
    "bad database": (
        {**ENDPOINT, "PAYROUTER_DATABASE__URL": f"mysql://payrouter:{OTHER}@host/db"},
        "database.url: expected postgresql+asyncpg://",
    ),
    "no file": ({"PAYROUTER_CONFIG": "missing.toml"}, "cannot read the configuration missing.toml"),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield an empty folder."""
    with place_in(tmp_path) as place:
        yield place


@pytest.fixture
def dev_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Return a function that runs `dev` in this process, which takes a tenth of the time."""
    monkeypatch.chdir(tmp_path)
    # The command must not change the logging of the tests.
    monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def run(*arguments: str) -> Said:
        options = ("--port", str(free_port()), "--data-dir", str(tmp_path / "data"))
        monkeypatch.setattr(sys, "argv", ["payrouter", "dev", *arguments, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(
            sys.argv, int(ended.value.code or 0), printed.out, printed.err
        )

    return run


def refused(said: Said) -> str:
    """Check that this is a correct refusal, and return its line."""
    assert said.returncode == 2
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1, said.stderr
    assert SECRET not in said.stderr
    assert OTHER not in said.stderr
    return said.stderr.removeprefix("payrouter: ")


@pytest.mark.parametrize(("text", "line"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_refused_in_one_line_that_names_the_key(
    dev_here: Callable[..., Said], text: str, line: str
) -> None:
    Path("wrong.toml").write_text(text)
    assert line in refused(dev_here("--config", "wrong.toml"))


@pytest.mark.parametrize(("environ", "line"), WRONG_VARIABLES.values(), ids=WRONG_VARIABLES)
def test_a_wrong_variable_is_refused_in_one_line_that_names_the_key(
    dev_here: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    environ: Mapping[str, str],
    line: str,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert line in refused(dev_here())


@pytest.mark.parametrize("further", [0, 1000, 1001], ids=["edge", "edge's", "consumer's"])
def test_a_taken_port_is_refused_in_one_line_that_names_it(place: Place, further: int) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + further)):
        line = refused(place.run("dev", "--port", str(port)))
    assert f"cannot listen on 127.0.0.1:{port + further}" in line


@pytest.mark.parametrize("url", ["pay.example.com", "https://u:p@pay.example.com", "https://h/?a"])
def test_an_invalid_public_url_is_refused_in_one_line(
    dev_here: Callable[..., Said], url: str
) -> None:
    line = refused(dev_here("--public-url", url))
    assert line.startswith("--public-url: expected https://host")


def test_a_data_directory_that_cannot_be_created_is_refused_in_one_line(place: Place) -> None:
    (place.folder / "file").write_text("")
    place.data = "file/data"
    line = refused(place.run("dev", "--port", str(free_port())))
    assert line == f"--data-dir: cannot create {place.data_dir}: Not a directory\n"


def test_a_missing_evaluation_broker_is_refused_in_one_line(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; sys.modules['confluent_kafka'] = None; from consumers.cli import main"
    monkeypatch.setattr(
        Place,
        "command",
        lambda place, *arguments: [
            sys.executable,
            "-c",
            f"{program}; main()",
            *arguments,
            "--data-dir",
            str(place.data_dir),
        ],
    )
    said = place.run("dev", "--port", str(free_port()))
    assert "install payrouter[evaluation]" in refused(said)
    assert "confluent_kafka is missing" in said.stderr


def test_a_refused_start_leaves_no_process_running(place: Place) -> None:
    with socket.create_server(("127.0.0.1", port := free_port())):
        refused(place.run("dev", "--port", str(port)))
    assert not (place.data_dir / "running.json").exists()
    assert not (place.data_dir / "postgres").exists()


def test_the_port_comes_from_the_configuration_by_default(place: Place) -> None:
    with socket.create_server(("127.0.0.1", port := free_port())):
        (place.folder / "payrouter.toml").write_text(f"{GOOD}\n[edge]\nport = {port}")
        assert f"cannot listen on 127.0.0.1:{port}" in refused(place.run("dev"))
