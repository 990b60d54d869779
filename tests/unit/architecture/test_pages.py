"""The pages of the documentation name code that exists, and their links lead somewhere."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.parts.source import ROOT, modules
from tests.unit.architecture.picture import FLOORS, PAGE, arrows, boxes, written
from tests.unit.architecture.rooms import MAY_IMPORT

PAGES: Final = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "deploy").rglob("*.md"),
]
HISTORY: Final = {"CHANGELOG.md"}
"""Pages that may name code that no longer exists."""

_FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_NAME: Final = re.compile(r"(?:router|consumers)(?:\.\w+)+")
_FILE: Final = re.compile(r"(?:router|consumers|tests|deploy|docs)/[\w./-]+")
_MODULE_FILE: Final = re.compile(r"\w+\.py")
_PLACEHOLDER: Final = re.compile(r"/[A-Z]+\.py")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_WALKS: Final = (
    "## One delivery, from the socket to Kafka",
    "## One record, from Kafka to a posting",
)


@cache
def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _spans(text: str) -> list[str]:
    return _SPAN.findall(_FENCED.sub("", text))


@cache
def _files_of_modules() -> set[str]:
    """Return the names of the files of the product, of tests and of the architecture's own code."""
    code = [path for folder in ("router", "consumers") for path in (ROOT / folder).rglob("*.py")]
    tests = [*(ROOT / "tests").rglob("test_*.py"), *Path(__file__).parent.glob("*.py")]
    return {path.name for path in [*code, *tests]}


def _pages() -> list[Path]:
    return sorted(page for page in PAGES if page.name not in HISTORY)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_every_module_class_and_function_a_page_names_exists(page: Path) -> None:
    names = [span for span in _spans(_text(page)) if _NAME.fullmatch(span)]
    assert [name for name in names if not _exists(name)] == []


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_every_file_a_page_names_exists(page: Path) -> None:
    spans = [span for span in _spans(_text(page)) if _FILE.fullmatch(span)]
    files = [span for span in spans if not _PLACEHOLDER.search(span)]
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_every_file_a_page_names_without_its_folder_is_a_module_or_a_test(page: Path) -> None:
    named = {span for span in _spans(_text(page)) if _MODULE_FILE.fullmatch(span)}
    assert named - _files_of_modules() == set()


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = [link for link in _LINK.findall(_FENCED.sub("", _text(page))) if "://" not in link]
    assert [link for link in links if not _leads_somewhere(page, link)] == []


def test_picture_and_table_of_the_rooms_are_those_of_the_code() -> None:
    assert _text(PAGE) == written(_text(PAGE)), "run `python -m tests.unit.architecture.picture`"


def test_every_room_is_in_exactly_one_box_of_the_picture() -> None:
    drawn = [room for rooms in boxes().values() for room in rooms]
    assert sorted(drawn) == sorted(MAY_IMPORT)
    assert sum(map(len, FLOORS.values())) == len(boxes())


def test_picture_is_small_enough_to_read() -> None:
    assert len(boxes()) <= 30
    assert sum(map(len, arrows().values())) <= 45


@pytest.mark.parametrize("title", _WALKS)
def test_every_hop_of_a_walk_names_a_function(title: str) -> None:
    hops = re.findall(r"^\d+\. (?:.+\n)(?:   .+\n)*", _section(title), re.MULTILINE)
    assert len(hops) >= 10
    without = [hop for hop in hops if not any(_is_function(span) for span in _spans(hop))]
    assert without == []


def test_every_path_of_a_change_opens_at_most_three_files() -> None:
    section = _section("## Three changes and the files they open")
    changes = re.split(r"^\*\*.+?\*\*", section, flags=re.MULTILINE)[1:]
    steps = [re.findall(r"^\d+\. ", change, re.MULTILINE) for change in changes]
    assert len(steps) == 3
    assert all(1 <= len(files) <= 3 for files in steps)


def test_every_function_of_a_change_is_in_the_file_it_names() -> None:
    section = _section("## Three changes and the files they open")
    steps = re.findall(r"^\d+\. (?:.+\n)(?:   .+\n)*", section, re.MULTILINE)
    for step in steps:
        file, *names = _spans(step)
        if file.startswith(("router/", "consumers/")):
            module = file.removesuffix(".py").replace("/", ".")
            assert [name for name in names if not _exists(f"{module}.{name}")] == [], file


def _section(title: str) -> str:
    _, found, rest = _text(PAGE).partition(f"{title}\n")
    assert found, title
    return rest.partition("\n## ")[0]


def _is_function(name: str) -> bool:
    return isinstance(_found(name), ast.FunctionDef | ast.AsyncFunctionDef)


def _exists(name: str) -> bool:
    return _found(name) is not None


def _found(name: str) -> ast.AST | None:
    """Return the syntax tree of a module, or of what it defines under this name."""
    known = {module.name: module.tree for module in modules("router", "consumers")}
    head, rest = name, list[str]()
    while head and head not in known:
        head, _, last = head.rpartition(".")
        rest.insert(0, last)
    node: ast.AST | None = known.get(head)
    for part in rest:
        node = None if node is None else _defined(node, part)
    return node


def _defined(node: ast.AST, name: str) -> ast.AST | None:
    for each in getattr(node, "body", []):
        if getattr(each, "name", None) == name:
            return each  # type: ignore[no-any-return] # any statement has a body of statements
        targets = getattr(each, "targets", [getattr(each, "target", None)])
        if any(getattr(target, "id", None) == name for target in targets):
            return each  # type: ignore[no-any-return] # the same
    return None


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page if not path else (page.parent / path)
    if not target.exists():
        return False
    return not anchor or anchor in {_anchor(title) for title in _HEADING.findall(_text(target))}


def _anchor(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
