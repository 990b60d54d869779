"""The prose check itself: patterns, extraction, allow-list, command."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.prose.__main__ import main
from tests.prose.checker import AllowListError, find_hits, read_allowed
from tests.prose.patterns import PATTERNS, STRICT_PATTERNS
from tests.prose.sources import Prose, find_prose, markdown_prose, python_prose, yaml_prose

EXAMPLES: Final = {
    "none where": ("The leader, None where it is unknown.", "Return None if it is unknown."),
    "raise where": ("Raises ValueError where text is empty.", "Raises ValueError in such cases."),
    "even where": ("Retries, even where it failed.", "It shows even a folder, where files are."),
    "where there is": ("Skip it where there is none.", "In a place where there is room."),
    "where it is not": ("Skip it where it is not set.", "The folder where it is stored."),
    "where …,": ("Where a key is set, use it.", "Where are the logs?"),
    "made where missing": ("Create the row where missing.", "Show the folder where logs are."),
    "be it": ("Any answer, be it late.", "It must be iterable."),
    "should it …, ": ("Should it fail, retry.", "It should fail."),
    "is it …, then": ("Is it full, drop one.", "Is it full?"),
    "lest": ("Lock it lest it change.", "The fewest locks."),
    "says": ("The broker says it is full.", "That says, roughly, enough."),
    "say so": ("The fences say so.", "The operators say yesterday."),
    "is said": ("What is said of it.", "He said it."),
    "programs say": ("A record may say more.", "The operators say more."),
    "tell whether": ("Tell whether it is full.", "Return whether it is full."),
    "tells": ("The header tells the type.", "Tell the two apart."),
    "is told": ("The client is told once.", "A total of two."),
    "hears": ("Hear of a delivery.", "The heartbeat is late."),
    "has a say": ("It has no say in it.", "They say it is in order."),
    "speaks of": ("The code it speaks of.", "It speaks TLS."),
    "in words": ("Report it in words.", "Split it into words."),
    "asked": ("The broker was asked twice.", "Users are asked to log in."),
    "programs know": ("The broker knows its topics.", "Operators know the broker."),
    "knows of": ("One that it knows of.", "It has known offsets."),
    "know it by": ("It knows a message by its id.", "We know that by design."),
    "wanted": ("The samples wanted.", "An unwanted sample."),
    "stands": ("The key stands in the header.", "A name that stands out."),
    "stand": ("They stand in the header.", "A stand-in for the broker."),
    "lies": ("The file lies in the folder.", "The offset is in range."),
    "nowhere": ("It is stored nowhere.", "It is not stored anywhere."),
    "beside": ("The flag beside it.", "Besides, it is fast."),
    "goes on": ("The loop goes on.", "It goes on to the next one."),
    "nobody": ("Nobody waits for it.", "The body is empty."),
    "somebody": ("Somebody else has it.", "Someone else has it."),
    "a person": ("Stopped until a person acts.", "A personal token."),
    "whoever": ("Whoever reads it.", "Who reads it?"),
    "whatever": ("Whatever it was, retry.", "Pass whatever you like."),
    "whichever": ("Whichever comes first.", "Which comes first?"),
    "of ours": ("A mistake of ours.", "A matter of course."),
    "ours": ("The timeout is ours.", "It takes hours."),
    "became of": ("What became of it.", "It became official."),
    "came of": ("What came of it.", "The record came often."),
    "what it came to": ("What a try came to.", "The record came to us."),
    "let go": ("Let go of the lock.", "Outlets go down."),
    "anew": ("Start anew.", "Start a new one."),
    "once more": ("Try once more.", "Try more than once."),
    "in vain": ("Waits in vain.", "The domain vanished."),
    "for ever": ("Stored for ever.", "Stored forever."),
    "gone": ("The row is gone.", "The row was removed."),
    "is kept": ("Who did so is kept.", "It is kept for old clients."),
    "taken in": ("It was taken in.", "Steps are taken in order."),
    "mend": ("It mends the books.", "It recommends a lock."),
    "time is over": ("Its time is over.", "The time is in seconds."),
    "meanwhile": ("Changed meanwhile.", "Changed for a while."),
    "in one go": ("Apply all in one go.", "In one gateway."),
    "what it comes to": ("What a batch is for.", "What is a batch?"),
    "what makes it": ("Return what makes clients.", "Return a client factory."),
    "of its own": ("In a process of its own.", "In its own process."),
    "have it done": ("Have the broker stop.", "Have you tried again?"),
    "is no": ("The text is no number.", "There is no number."),
    "is none": ("A topic that is none.", "The value is None."),
    "no such … is": ("No such topic is left.", "There is no such topic."),
    "it is not … that": ("It is not the broker that fails.", "It is not a leader."),
    "is to be": ("The topic is to be read.", "It wants to be read."),
    "has to be there": ("A field that has to be there.", "It has to be a number."),
    "inversion": ("It waits. Nor does it retry.", "It neither waits nor does I/O."),
    "whereupon": ("It fails, whereupon we retry.", "It fails and we retry there."),
    "upon": ("Called upon failure.", "The upstream failed."),
    "of no matter": ("It is of no matter here.", "A matter of time."),
    "as it stands": ("Left as it was.", "As it is small, read all."),
    "so it has": ("So it has, for now.", "So it has failed."),
    "behind what": ("Read behind what is known.", "Read after the fence."),
    "stays so": ("It stays so.", "It stays open."),
    "wants it": ("As an endpoint wants it.", "If the user wants it."),
    "whose it is": ("Return whose it is.", "One whose order failed."),
    "oneself": ("Send oneself a stream.", "Send it a stream."),
    "a try": ("After a try.", "A try block."),
    "a look": ("At the next look.", "Look at the next one."),
    "to be had": ("Effects might be had.", "It had been read."),
    "starts with what": ("What was read.", "What is read?"),
    "return what": ("Return what was read.", "Return the text."),
    "named for what it is": ("Named for what it is.", "Named after its use."),
    "of now": ("The password of now.", "A list of nowcasts."),
    "else": ("Read it. Else wait.", "One or else the other."),
    "so many": ("After so many lines.", "So many that it fails."),
    "connects to nothing": ("It connects to nothing.", "Nothing is connected."),
    "nothing of it": ("Nothing of it is read.", "The start of it."),
    "may not": ("It may not be read.", "It may be read."),
    "the one after": ("One after the other.", "The one after it."),
}


def names_of(text: str) -> list[str]:
    """Return the names of the patterns that a text matches."""
    return [one.name for one in STRICT_PATTERNS if one.expression.search(text)]


def write(root: Path, name: str, text: str) -> None:
    """Write a file of a checkout, with its folders."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")


def test_every_pattern_has_an_example() -> None:
    names = [one.name for one in STRICT_PATTERNS]
    assert sorted(names) == sorted(EXAMPLES)
    assert set(PATTERNS) < set(STRICT_PATTERNS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_pattern_hits_the_idiom_and_spares_plain_english(name: str) -> None:
    idiom, plain = EXAMPLES[name]
    assert name in names_of(idiom)
    assert name not in names_of(plain)


def test_idiom_over_a_line_break_is_reported_at_its_first_line() -> None:
    prose = Prose("router/a.py", 7, "The first line.\nWhat became\nof it.", "source prose")
    (hit,) = find_hits(prose)
    assert (hit.line, hit.phrase, hit.sentence) == (8, "became of", "What became of it.")


def test_python_prose_has_docstrings_comments_messages_and_test_names() -> None:
    source = dedent('''
        """A module."""
        # A comment
        # of two lines.
        LIMIT = 3
        """An attribute's text."""
        def test_forged_body_is_refused():
            """A function."""
            raise ValueError(f"cannot read {LIMIT} of them", "ab", 'one two')
    ''')
    assert sorted(python_prose(source)) == [
        (2, "A module."),
        (3, "A comment\nof two lines."),
        (6, "An attribute's text."),
        (7, "forged body is refused"),
        (8, "A function."),
        (9, "cannot read … of them"),
    ]


def test_sql_and_regular_expressions_are_not_prose() -> None:
    source = 'A = "SELECT id FROM events WHERE it is not null"\nB = r"what \\w+ came of it"\n'
    assert list(python_prose(source)) == []


def test_pragma_is_not_prose_but_its_reason_is() -> None:
    assert list(python_prose("x = 1  # noqa: S101 - a reason\n")) == [(1, "a reason")]


def test_markdown_code_is_not_prose(tmp_path: Path) -> None:
    text = "Text\nmore text\n\n```sh\nwhat became of it\n```\n- an item\n- `became of` it\n"
    write(tmp_path, "docs/a.md", text)
    assert list(markdown_prose(text)) == [
        (1, "Text\nmore text"),
        (7, "- an item"),
        (8, text[-17:-1]),
    ]
    assert [hit for prose in find_prose(tmp_path) for hit in find_hits(prose)] == []


def test_deploy_descriptions_are_prose(tmp_path: Path) -> None:
    rule = "- alert: A\n  summary: one line\n  description: >-\n    Two\n    lines.\n  expr: up\n"
    assert list(yaml_prose(rule)) == [(2, "one line"), (3, "\n    Two\n    lines.")]
    write(tmp_path, "deploy/board.json", '{"panels": [\n{"title": "What became of it"}]}')
    (prose,) = find_prose(tmp_path)
    assert (prose.path, prose.line, prose.area) == ("deploy/board.json", 2, "deploy")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with one idiom, which its allow-list permits."""
    write(tmp_path, "router/a.py", '"""First line.\n\nWhat became of it."""\n')
    write(
        tmp_path,
        "tests/prose/allowed.toml",
        '[[allow]]\npath = "router/a.py"\ntext = "What became of"\nreason = "a quotation"\n',
    )
    return tmp_path


def test_allowed_idiom_is_no_error(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(checkout)]) == 0
    assert "became" not in capsys.readouterr().out


def test_idiom_that_is_not_allowed_is_listed(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(checkout, "router/b.py", '# Stored for ever.\n"""What became of it."""\n')
    assert main(["--root", str(checkout)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'router/b.py:1: "for ever" -> forever; permanently'
    assert lines[1].startswith('router/b.py:2: "became of" -> ')
    assert lines[4].split() == ["source", "prose", "13", "2", "153.8"]


def test_stale_entry_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(checkout, "router/a.py", '"""Result of it."""\n')
    assert main(["--root", str(checkout)]) == 1
    assert "stale entry of the allow-list: router/a.py: 'What became of'" in capsys.readouterr().out


def test_entry_of_a_path_that_is_not_read_is_not_stale(checkout: Path) -> None:
    write(checkout, "router/b.py", '"""A module."""\n')
    assert main(["--root", str(checkout), "router/b.py"]) == 0


@pytest.mark.parametrize("lacking", ["path", "text", "reason"])
def test_entry_without_a_key_is_refused(checkout: Path, lacking: str) -> None:
    path = checkout / "tests/prose/allowed.toml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(lacking)))
    with pytest.raises(AllowListError, match="entry 1 needs path, text and reason"):
        read_allowed(checkout)
    assert main(["--root", str(checkout)]) == 2


def test_json_has_hits_and_areas(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(checkout, "docs/a.md", "Start anew.\n")
    assert main(["--root", str(checkout), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [(hit["path"], hit["line"]) for hit in report["hits"]] == [("docs/a.md", 1)]
    assert report["areas"]["docs"] == {"words": 2, "hits": 1, "per_1000": 500.0}


def test_strict_check_reports_habits_too(checkout: Path) -> None:
    write(checkout, "docs/a.md", "After so many lines.\n")
    assert main(["--root", str(checkout)]) == 0
    assert main(["--root", str(checkout), "--strict"]) == 1
