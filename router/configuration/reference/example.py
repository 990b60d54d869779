"""A complete `payrouter.toml` in which every setting is a comment."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from router.configuration.reference.schema import FILE
from router.configuration.reference.setting import Setting
from router.configuration.reference.tables import SettingsTable, TablePath
from router.configuration.reference.toml_text import toml_key, toml_lines

_WIDTH: Final = 96

_ENDPOINT: Final = 2
"""Parts of the name of an endpoint's own table."""

_HEAD: Final = f"""\
#:schema ./{FILE}

# Every setting of payrouter, with its default or, if it has none, with an example. To set a key,
# remove the `#` directly before it, and the one before the heading of its table if there is one.
# Lines that begin with `# ` explain.
#
# A variable overrides a key: PAYROUTER_EDGE__PORT overrides `port` of `[edge]`. What is in force,
# and where it comes from, is printed by: payrouter config show --all --origin
#
# Editors that know the first line complete and check this file by a schema in its folder, which is
# written by: payrouter config schema > {FILE}
"""


def example_file(tables: Sequence[SettingsTable]) -> str:
    """Write every table with all its settings, commented out."""
    lines = [_HEAD]
    written: dict[TablePath, list[SettingsTable]] = {}
    for table in tables:
        if not table.repeated:
            written.setdefault(table.example, []).append(table)
    for path, same in written.items():
        lines += _section(path, same)
    return "\n".join(lines).rstrip() + "\n"


def _section(path: TablePath, tables: Sequence[SettingsTable]) -> Iterator[str]:
    """Write a table of the file, whose settings several descriptions may share."""
    heading = f"[{'.'.join(map(toml_key, path))}]"
    first, *_ = tables
    yield from (f"#{heading}" if first.chosen else heading, "")
    for table in tables:
        of = f" For {' and '.join(table.providers)}." if table.providers else ""
        yield from (*_prose(f"{table.introduction}{of}"), "")
        if table.providers and len(path) == _ENDPOINT:
            yield from (f'#provider = "{table.providers[0]}"', "")
        for setting in table.settings:
            if setting.within is None or isinstance(setting.default, list):
                yield from (*_lines(setting), "")


def _lines(setting: Setting) -> Iterator[str]:
    yield from _prose(setting.meaning)
    yield from _prose(_facts(setting))
    value = setting.default if setting.has_default else setting.example
    yield from (f"#{line}" for line in toml_lines(setting.key, value))


def _facts(setting: Setting) -> str:
    kind = f"Type: {setting.kind.replace('`', '')}."
    if setting.has_default:
        return kind
    without = "Required" if setting.required else f"Default: {setting.without or 'none'}"
    return f"{kind} {without}. Example:"


def _prose(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False):
        yield f"# {line}"
