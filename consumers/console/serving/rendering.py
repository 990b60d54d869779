"""Renders templates: escaped, strict about unknown names, with the functions that pages use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from consumers.console.serving.static_files import StaticFile
from consumers.console.web.answers import Html
from consumers.console.web.page import ConsolePage
from consumers.console.web.times import exact_text, time_element
from consumers.console.web.visit import ConsoleVisit

FOLDER: Final = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class PageRenderer:
    """The templates, the entries of the navigation and the static files."""

    pages: Sequence[ConsolePage]
    static: Mapping[str, StaticFile]
    environment: Environment = field(repr=False)

    def render(self, visit: ConsoleVisit, answer: Html) -> str:
        """Return the text of a page."""
        template = self.environment.get_template(answer.template)
        return template.render(
            {**self._functions(visit), "command": answer.command, **answer.values}
        )

    def static_url(self, name: str) -> str:
        """Return the URL of a static file, which changes with its content."""
        return f"/static/{name}?v={self.static[name].digest}"

    def _functions(self, visit: ConsoleVisit) -> Mapping[str, Any]:
        return {
            "visit": visit,
            "viewer": visit.viewer,
            "t": visit.text,
            "n": visit.count,
            "personal": visit.personal,
            "csrf": visit.csrf,
            "when": partial(_when, visit),
            "exact": partial(_exact, visit),
            "here": partial(_here, visit),
            "static": self.static_url,
            "pages": self.pages,
            "read_only": not visit.sources.settings.console.actions,
        }


def make_renderer(
    pages: Sequence[ConsolePage], static: Mapping[str, StaticFile], folder: Path = FOLDER
) -> PageRenderer:
    """Return a renderer of the templates in a folder."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [page for page in pages if page.in_navigation]
    return PageRenderer(shown, static, environment)


def _when(visit: ConsoleVisit, moment: datetime | None) -> Markup:
    return time_element(moment, visit.now, visit.zone, visit.preferences.texts)


def _exact(visit: ConsoleVisit, moment: datetime | None) -> str:
    return "" if moment is None else exact_text(moment, visit.zone)


def _here(visit: ConsoleVisit, path: str | None = None, **changes: str | None) -> str:
    """Return the URL of this page, or of another one, with other fields in its query."""
    return (path or visit.path) + visit.query.changed(changes).as_query
