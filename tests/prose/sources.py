"""Finds the prose of a checkout: in Python, Markdown, YAML, JSON and configuration files."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

AREAS: Final = ("source prose", "tests", "docs", "deploy")

SKIPPED_FOLDERS: Final = {"node_modules", "build", "dist", "site-packages", "__pycache__"}
QUOTING_FILES: Final = {"tests/prose/patterns.py", "tests/prose/test_prose.py"}
"""These files quote the idioms, so they are not checked."""

MIN_WORDS: Final = 3
"""A shorter string literal is a name or a value, not a sentence."""

_CODE_SPAN: Final = re.compile(r"``[^`]+``|`[^`]+`")
_WORD: Final = re.compile(r"[A-Za-z][\w'\u2019-]*")
_FENCE: Final = re.compile(r"^\s*(```|~~~)")
_NOT_PROSE: Final = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|WHERE|ALTER|IS NULL|IS NOT NULL)\b"
    r"|\(\?[:P!=<]|\\[bdswA-Z]"
)
_PRAGMA: Final = re.compile(r"^(noqa|type: ?ignore|pragma|mypy|pylint|fmt|ruff)\b[^-]*(-\s+)?")
_YAML_KEY: Final = re.compile(r"^(\s*)(?:- )?(summary|description|title):\s*(.*)$")
_COMMENT_LINE: Final = re.compile(r"^\s*#+ ?(?!!)(.*)$")

_TEXT_KEYS: Final = {"title", "description", "summary"}

_Docstringed = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Prose:
    """A piece of text that people read. Its first line is at `line` of the file `path`."""

    path: str
    line: int
    text: str
    area: str

    def words(self) -> int:
        """Return how many words the text has; a code span counts as one."""
        return len(_WORD.findall(self.text))


def find_prose(root: Path, under: tuple[str, ...] = ()) -> Iterator[Prose]:
    """Yield all prose below `root`, in the order of paths.

    `under` limits the search to these files and folders, relative to `root`.
    """
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if name in QUOTING_FILES or (under and not _is_under(name, under)):
            continue
        reader = _reader_of(name)
        if reader is None:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for line, found in reader(text):
            readable = found.encode("utf-8", "replace").decode("utf-8")
            yield Prose(name, line, _mask_code(readable), area_of(name))


def area_of(name: str) -> str:
    """Return the area of a file, by its path relative to the checkout."""
    parts = name.split("/")
    if parts[0] == "deploy":
        return "deploy"
    if name.endswith(".md"):
        return "docs"
    return "tests" if "tests" in parts[:-1] else "source prose"


def python_prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield docstrings, comments, sentences in literals, and the names of tests."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    yield from _docstrings(tree)
    yield from _literals(tree)
    yield from _test_names(tree)
    yield from _comments(source)


def markdown_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs outside code fences. Each table row is a paragraph."""
    lines, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
            lines.append("")
        else:
            lines.append("" if fenced else line)
    yield from _paragraphs(lines)


def yaml_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the values of `summary`, `description` and `title`, and the comments."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if match := _YAML_KEY.match(line):
            yield number + 1, _yaml_value(lines, number, len(match[1]), match[3])
    yield from comment_prose(text)


def json_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the values of `title`, `description` and `summary` at any depth."""
    lines = text.splitlines()
    try:
        document = json.loads(text)
    except ValueError:
        return
    for value in _json_texts(document):
        written = json.dumps(value), json.dumps(value, ensure_ascii=False)
        found = (n for n, line in enumerate(lines, 1) if any(form in line for form in written))
        yield next(found, 1), value


def comment_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the comments without code before them; adjacent lines are one text."""
    matches = [_COMMENT_LINE.match(line) for line in text.splitlines()]
    yield from _paragraphs([match[1] if match else "" for match in matches])


def _reader_of(name: str) -> Callable[[str], Iterator[tuple[int, str]]] | None:
    suffix = Path(name).suffix
    if suffix == ".py":
        return python_prose
    if suffix == ".md":
        return markdown_prose
    if not name.startswith("deploy/"):
        return None
    if suffix in {".yml", ".yaml"}:
        return yaml_prose
    if suffix == ".json":
        return json_prose
    return comment_prose if suffix in {".toml", ".sh", ""} else None


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in SKIPPED_FOLDERS or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def _is_under(name: str, under: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one.rstrip('/')}/") for one in under)


def _mask_code(text: str) -> str:
    """Replace the letters of code spans by x; offsets and line breaks stay."""
    return _CODE_SPAN.sub(lambda span: re.sub(r"[^`\n]", "x", span[0]), text)


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, _Docstringed) and (constant := _docstring_of(node)):
            yield constant.lineno, str(constant.value)


def _docstring_of(node: _Docstringed) -> ast.Constant | None:
    first = node.body[0] if node.body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return None
    return first.value if isinstance(first.value.value, str) else None


def _literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    seen: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _Docstringed) and (docstring := _docstring_of(node)):
            seen.add(id(docstring))
        elif isinstance(node, ast.JoinedStr):
            seen.update(id(part) for part in ast.walk(node) if part is not node)
            if id(node) not in seen and _is_sentence(text := _joined(node)):
                yield node.lineno, text
        elif id(node) not in seen and isinstance(node, ast.Constant):
            yield from _sentence_of(node)


def _sentence_of(node: ast.Constant) -> Iterator[tuple[int, str]]:
    if isinstance(node.value, str) and _is_sentence(node.value):
        yield node.lineno, node.value


def _joined(node: ast.JoinedStr) -> str:
    """Return the text of an f-string, with `…` for each value."""
    parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "".join(str(part) for part in parts)


def _is_sentence(text: str) -> bool:
    words = [word for word in text.split() if re.fullmatch(r"[\W\d]*[A-Za-z'\u2019-]+[^\w]*", word)]
    return len(words) >= MIN_WORDS and not _NOT_PROSE.search(text)


def _test_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_"):
            yield node.lineno, node.name.removeprefix("test_").replace("_", " ")


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield comments; those in adjacent lines at the same column are one text."""
    first, last, column, lines = 0, 0, 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, start = token.start
        if lines and line == last + 1 and start == column:
            lines.append(_without_pragma(token.string))
        else:
            if lines:
                yield first, "\n".join(lines)
            first, column, lines = line, start, [_without_pragma(token.string)]
        last = line
    if lines:
        yield first, "\n".join(lines)


def _without_pragma(comment: str) -> str:
    return _PRAGMA.sub("", comment.lstrip("#: "))


def _paragraphs(lines: list[str]) -> Iterator[tuple[int, str]]:
    first, held = 0, list[str]()
    for number, line in enumerate([*lines, ""], 1):
        is_first = line.lstrip().startswith(("|", "- ", "* ", "#"))
        if held and (not line.strip() or is_first):
            yield first, "\n".join(held)
            held = []
        if line.strip():
            first = first if held else number
            held.append(line)


def _yaml_value(lines: list[str], number: int, indent: int, value: str) -> str:
    """Return a scalar: of this line, or of the indented lines below it."""
    if value and value[0] not in ">|":
        return value
    held = [""]
    for line in lines[number + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        held.append(line)
    return "\n".join(held)


def _json_texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key in _TEXT_KEYS and isinstance(member, str):
                yield member
            else:
                yield from _json_texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _json_texts(member)
