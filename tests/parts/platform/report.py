"""The table of a run: what was taken away, who named it, how, and how soon."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.parts.platform.taking import Taken

WHERE: Final = Path("build") / "platform.json"
_LINE: Final = "{:<13} {:<55} {:<8} {:<6} {:>6} {:>6}"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_head() -> None:
    """Print the head of the table."""
    say(_LINE.format("of", "taken away", "process", "doctor", "named", "back"))


def say_taken(taken: Taken) -> None:
    """Print a line of the table."""
    doctor = {True: "yes", False: "NO", None: "-"}[taken.doctor]
    seconds = (f"{taken.named_seconds:.1f} s", f"{taken.back_seconds:.1f} s")
    say(_LINE.format(taken.of, taken.what, taken.process, doctor, *seconds))


def say_sum(kind: str, taken: Sequence[Taken]) -> None:
    """Print how many of a kind were named, by whom, and how soon."""
    named = [each for each in taken if each.process != "-"]
    seconds = [each.named_seconds for each in named] or [0.0]
    checked = sum(each.doctor is True for each in taken)
    back = max(each.back_seconds for each in taken)
    say(f"{kind}: {len(taken)} taken away, named by doctor {checked}, by processes {len(named)};")
    say(
        f"  named after {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s at most; "
        f"whole again after {back:.1f} s at most"
    )


def store(taken: Sequence[Taken]) -> None:
    """Write everything as JSON."""
    WHERE.parent.mkdir(exist_ok=True)
    WHERE.write_text(json.dumps([asdict(each) for each in taken], indent=2) + "\n")
