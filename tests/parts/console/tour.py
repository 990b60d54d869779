"""Goes through a live console in every size, colour and language, and takes the pictures of it.

`python -m tests.parts.console.tour` (`make console`) opens a page of every kind as an admin, and
prints what is wrong with it. It writes docs/images/console-*.png, with which docs/console.md and
the README show the console. Then it carries out every action and checks its effect.
`--only-pictures` leaves out the other pages and the actions, `--only-actions` does nothing else.
"""

import itertools
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumers.console.app import PAGES
from tests.parts.console import troubles
from tests.parts.console.chromium import DESKTOP, PHONE, SCREENS, Screen, Window, chromium
from tests.parts.console.crawling import crawl
from tests.parts.console.judging import wrong_with
from tests.parts.console.live import live_console
from tests.parts.console.people import People
from tests.parts.console.walks.every import carry_out, without_walk
from tests.parts.source import ROOT

PICTURES: Final = ROOT / "docs" / "images"
COMMAND: Final = "python -m tests.parts.console.tour"
MOST_BYTES: Final = 150_000


@dataclass(frozen=True)
class Picture:
    """A picture of a page, whose file is `console-NAME.png`."""

    name: str
    path: str
    screen: Screen = DESKTOP

    @property
    def file(self) -> Path:
        """The file of the picture."""
        return PICTURES / f"console-{self.name}.png"


TAKEN: Final = (
    Picture("search", f"/search?q={troubles.SHORT}"),
    Picture("cases", "/cases?account=shop-eu"),
    Picture("deliveries", "/deliveries?account=shop-eu"),
    Picture("consumers", "/groups"),
    Picture("books", "/books?account=shop-eu"),
    Picture("endpoint", "/endpoints/atm-eu"),
    Picture("search-phone", f"/search?q={troubles.SHORT}", PHONE),
    Picture("cases-phone", "/cases", PHONE),
)


def walk(people: People) -> Iterator[str]:
    """Yield what is wrong with the pages in every kind of window, one line each."""
    kinds = itertools.product(SCREENS.values(), ("light", "dark"), ("en-US", "de-DE"))
    for screen, colors, language in kinds:
        window = Window(screen, "dark" if colors == "dark" else "light", language=language)
        with people.seat("ada", window) as seat:
            for url in crawl(seat.page, seat.origin):
                path = url.removeprefix(seat.origin)
                where = f"{path} ({screen.name}, {colors}, {language})"
                yield from (f"{where}: {each}" for each in wrong_with(seat.page))


def take(people: People, picture: Picture) -> None:
    """Take a picture as an admin sees the page."""
    with people.seat("ada", Window(picture.screen)) as seat:
        seat.open(picture.path)
        seat.page.screenshot(path=picture.file, scale="css")
    size = picture.file.stat().st_size
    assert size < MOST_BYTES, f"{picture.file}: {size} bytes"


def main(*options: str) -> int:
    """Return how many things are wrong."""
    with (
        tempfile.TemporaryDirectory() as folder,
        live_console(Path(folder)) as live,
        chromium() as browser,
    ):
        people = People(live, browser)
        if "--only-actions" not in options:
            for picture in TAKEN:
                take(people, picture)
        wrong = [*without_walk(PAGES), *(() if options else walk(people))]
        sys.stdout.writelines(f"{line}\n" for line in wrong)
        for path in () if "--only-pictures" in options else carry_out(people):
            sys.stdout.write(f"{path} was carried out\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(wrong)} things are wrong; pictures are in {PICTURES}\n")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
