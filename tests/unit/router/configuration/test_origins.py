"""Every value of the configuration has an origin: a line of the file, a variable, a `dev`."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.configuration.origins import DEFAULT, Origin, Origins, key_lines
from router.configuration.sources import Sources, gather_sources

_TEXT = '''# a comment with [a.heading] and key = 1

top = "x"   # = 2
[edge]
port = 1
host = """
port = 2
[kafka]
"""
trusted_proxies = [
  "10.0.0.0/8", # one
  "[x]",
]

[endpoints."a.b"]
mapping.fields = { amount = "x", currency = "y" }
[[rules]]
on = 1
[[rules]]
on = 2
'''


def test_every_key_has_the_line_on_which_it_begins() -> None:
    assert key_lines(_TEXT) == {
        ("top",): 3,
        ("edge",): 4,
        ("edge", "port"): 5,
        ("edge", "host"): 6,
        ("edge", "trusted_proxies"): 10,
        ("endpoints",): 15,
        ("endpoints", "a.b"): 15,
        ("endpoints", "a.b", "mapping"): 16,
        ("endpoints", "a.b", "mapping", "fields"): 16,
        ("endpoints", "a.b", "mapping", "fields", "amount"): 16,
        ("endpoints", "a.b", "mapping", "fields", "currency"): 16,
        ("rules",): 17,
        ("rules", "on"): 18,
    }


_KEYS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)
_VALUES = st.sampled_from(["1", '"x"', "[\n  1,\n]", '"""\n[t]\nb = 1\n"""', "{ x = 1 }"])


@given(st.lists(st.tuples(_KEYS, st.lists(st.sampled_from(["", "# x"]), max_size=2)), max_size=4))
def test_every_key_that_is_parsed_has_a_line(
    tables: list[tuple[list[str], list[str]]],
) -> None:
    lines = []
    for number, (keys, between) in enumerate(tables):
        lines.append(f"[t{number}]")
        for key in keys:
            lines += [*between, f"{key} = 1"]
    text = "\n".join(lines)

    found = key_lines(text)

    for table, values in tomllib.loads(text).items():
        for key in values:
            assert lines[found[table, key] - 1] == f"{key} = 1"
            assert f"[{table}]" in lines[: found[table, key]]


@given(_KEYS, st.data())
def test_a_value_of_several_lines_moves_the_keys_after_it(
    keys: list[str], data: st.DataObject
) -> None:
    text, expected = "", {}
    for key in keys:
        expected[key,] = text.count("\n") + 1
        text += f"{key} = {data.draw(_VALUES)}\n"

    found = key_lines(text)

    assert {path: line for path, line in found.items() if len(path) == 1} == expected


def test_a_variable_precedes_the_file_and_the_default_is_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "payrouter.toml"
    file.write_text('\ufeff[edge]\nport = 1\nworkers = 2\n[endpoints.shop-eu]\nmode = "test"\n')
    environ = {"PAYROUTER_EDGE__PORT": "3", "PAYROUTER_ENDPOINTS__SHOP_EU__MODE": "live"}

    origins = Origins(gather_sources(file, environ))

    assert origins.of(("edge", "port")) == Origin("variable", "PAYROUTER_EDGE__PORT")
    assert origins.of(("edge", "workers")) == Origin("file", str(file), 3)
    assert str(origins.of(("edge", "workers"))) == f"{file}:3"
    assert origins.of(("edge", "host")) == DEFAULT
    assert str(DEFAULT) == "default"
    assert origins.of(("endpoints", "shop-eu", "mode")) == Origin(
        "variable", "PAYROUTER_ENDPOINTS__SHOP_EU__MODE"
    )


@pytest.mark.parametrize(
    ("problem", "place"),
    [
        ("edge.prot: unknown key", "f:2"),
        ("edge: workers: too many", "f:1"),
        ("topics: names.x: too long", "f:4"),
        ("edge.port.0: wrong", "V"),
        ("PAYROUTER_X: no table", None),
        ("database.url: missing", None),
    ],
)
def test_a_problem_names_the_place_of_its_key(problem: str, place: str | None) -> None:
    text = "[edge]\nprot = 1\n[topics.names]\nx = 1\n"
    sources = Sources(
        file=Path("f"), text=text, variables={("edge", "port"): "V"}, values=tomllib.loads(text)
    )

    located = Origins(sources).located(problem)

    assert located == (problem if place is None else f"{problem} ({place})")
