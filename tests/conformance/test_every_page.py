"""The documentation of each gateway matches the code: README row, page, and example."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import load_settings
from router.edge.endpoints import build_endpoints
from router.errors import Reason
from router.providers import Configurable, NoOptions, discover
from tests.conformance import kit
from tests.parts.source import ROOT

_SECTIONS = (
    "Where to paste the URL",
    "Where to find the key",
    "What is signed",
    "Retries",
    "What it cannot do",
    "Troubleshooting",
)
_BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"REPLACE-[A-Za-z0-9-]+")
_TABLE = ROOT / "docs" / "gateways" / "README.md"
_EXAMPLE = ROOT / "deploy" / "examples" / "payrouter.toml"

OURS = [name for name in kit.providers() if type(discover()[name]).__module__.startswith("router.")]


def _rows(page: Path = _TABLE) -> dict[str, dict[str, str]]:
    """Read the table of gateways of a page."""
    text = page.read_text(encoding="utf-8")
    section = re.split(r"^## (?:All g|G)ateways$", text, flags=re.MULTILINE)[1]
    lines = section.partition("\n## ")[0].splitlines()
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    head, _, *rows = table
    return {
        row[0].partition("`")[2].partition("`")[0]: dict(zip(head, row, strict=True))
        for row in rows
    }


def _page(name: str) -> str:
    return (ROOT / "docs" / "gateways" / f"{name}.md").read_text(encoding="utf-8")


def _options(name: str) -> set[str]:
    provider = discover()[name]
    model = provider.options if isinstance(provider, Configurable) else NoOptions
    return set(model.model_fields)


def _long(window: timedelta) -> str:
    hours, minutes = divmod(int(window.total_seconds()) // 60, 60)
    return f"{hours} h" if hours and not minutes else f"{60 * hours + minutes} min"


def test_the_table_has_a_row_for_each_gateway_and_no_other() -> None:
    assert sorted(_rows()) == OURS


def test_readme_has_a_shorter_table_of_the_same_rows() -> None:
    whole, short = _rows(), _rows(ROOT / "README.md")

    assert sorted(short) == OURS
    for name, row in short.items():
        (link,) = re.findall(r"\((docs/gateways/\w+\.md)\)", row.pop("gateway"))
        assert (ROOT / link).is_file()
        assert row
        assert row.items() <= whole[name].items()


@pytest.mark.parametrize("name", OURS)
def test_row_matches_the_code(name: str) -> None:
    row, provider = _rows()[name], kit.side(name).provider
    families = ", ".join(f for f in ("payment", "payout", "subscription") if f in provider.kinds)
    events = "as mapped" if "mapping" in _options(name) else families
    signatures = {kit.header_of(case, Reason.SIGNATURE_MISSING) for case in kit.cases(name)}
    window = provider.tolerance
    defence = "no signed time" if window is None else f"{_long(window)} window"

    assert row["events"] == events
    assert all(f"`{header}`" in row["signature"].lower() for header in signatures)
    assert defence in row["replay defence"]
    assert row["answer"] == f"`{provider.answer.status} {provider.answer.body.decode()}`"
    assert set(re.findall(r"`(\w+)`", row["settings"])) == _options(name)


@pytest.mark.parametrize("name", OURS)
def test_each_gateway_has_a_page_with_all_sections(name: str) -> None:
    page = _page(name)
    places = [page.find(f"\n## {section}\n") for section in _SECTIONS]

    assert -1 not in places, [s for s, p in zip(_SECTIONS, places, strict=True) if p < 0]
    assert places == sorted(places)
    assert len(page.splitlines()) < 200


@pytest.mark.parametrize("name", OURS)
def test_troubleshooting_list_uses_reasons_from_the_log(name: str) -> None:
    troubles = _page(name).partition("\n## Troubleshooting\n")[2]
    cells = [line.strip("|").split("|")[0] for line in troubles.splitlines() if "|" in line][2:]
    words = {word for cell in cells for word in re.findall(r"`([a-z]+_[a-z_]+)`", cell)}

    assert len(cells) >= 4
    assert words
    assert words - {reason.value for reason in Reason} == set()


@pytest.mark.parametrize("name", OURS)
def test_every_configuration_on_a_page_is_valid(name: str, tmp_path: Path) -> None:
    blocks = _BLOCK.findall(_page(name))

    assert blocks
    for block in blocks:
        endpoints = _built(block, tmp_path)
        assert name in {endpoint.provider.name for endpoint in endpoints.values()}


def test_the_example_has_an_endpoint_of_each_gateway_and_can_be_used(tmp_path: Path) -> None:
    endpoints = _built(_EXAMPLE.read_text(encoding="utf-8"), tmp_path)

    assert {endpoint.provider.name for endpoint in endpoints.values()} == set(OURS)


def test_the_example_has_no_secret_in_it() -> None:
    tables = tomllib.loads(_EXAMPLE.read_text(encoding="utf-8"))["endpoints"]

    assert all("secrets" not in table for table in tables.values())


def _built(text: str, folder: Path) -> dict[str, Any]:
    """Put the endpoints of a configuration together, with secrets in the files it names."""
    tables = tomllib.loads(text)["endpoints"]
    # Two accounts must not share a secret.
    accounts = list(dict.fromkeys(table["account"] for table in tables.values()))
    for table in tables.values():
        number = 3 + accounts.index(table["account"])
        for file in table.get("secret_files", ()):
            own = kit.side(table["provider"], number).table["secrets"][0]
            (folder / Path(file).name).write_text(f"{own}\n")
    (folder / "database_url").write_text("postgresql+asyncpg://payrouter@db/payrouter\n")
    path = folder / "payrouter.toml"
    text = _PLACEHOLDER.sub("a-random-text-0123456789", text)
    path.write_text(text.replace("/run/secrets", str(folder)), encoding="utf-8")
    return build_endpoints(load_settings(path, {"PAYROUTER_EDGE__PUBLIC_URL": kit.PUBLIC_URL}))
