"""Someone's language and zone: chosen in the URL, kept in a cookie."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from consumers.console.web.texts import LANGUAGES, PageTexts, preferred_language
from consumers.console.web.visit import VisitPreferences
from router.configuration.process_settings import ConsoleSettings


@dataclass(frozen=True)
class PreferenceReader:
    """Reads preferences of requests."""

    settings: ConsoleSettings
    texts: Mapping[str, PageTexts]

    def of(self, request: Request, cookie: str) -> VisitPreferences:
        """Return the preferences of a request: of its URL, else of its cookie, else the usual."""
        language, _, zone = cookie.partition(".")
        chosen = request.query_params.get("lang", language)
        if chosen not in LANGUAGES:
            accepted = request.headers.get("accept-language", "")
            chosen = preferred_language(accepted, self.settings.language)
        utc = request.query_params.get("zone", zone or "local") == "utc"
        return VisitPreferences(self.texts[chosen], utc=utc or self.settings.zone == "UTC")


def preference_cookie(preferences: VisitPreferences) -> str:
    """Return the text of the cookie."""
    return f"{preferences.texts.language}.{'utc' if preferences.utc else 'local'}"
