"""Debian's Chromium, driven by Playwright; nothing is downloaded."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PROGRAM: Final = "chromium"

_ALLOWED_PORTS: Final = "--explicitly-allowed-ports=10080"
"""The one of the ports for tests that browsers refuse, because another protocol has it."""

PATIENCE_MS: Final = 20_000
"""How long a page may take on a busy machine. It is not a measure of speed."""


@dataclass(frozen=True)
class Screen:
    """A size in pixels of a window without its borders."""

    name: str
    width: int
    height: int


PHONE: Final = Screen("phone", 390, 844)
DESKTOP: Final = Screen("desktop", 1280, 800)
SCREENS: Final = {screen.name: screen for screen in (PHONE, DESKTOP)}

Colors = Literal["light", "dark"]


@dataclass(frozen=True)
class Window:
    """How someone looks at pages."""

    screen: Screen = DESKTOP
    colors: Colors = "light"
    script: bool = True
    language: str = "en-US"


def missing() -> str | None:
    """Return why there is no browser here, or None if there is one."""
    return None if shutil.which(PROGRAM) else "no chromium (Debian: apt install chromium)"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser during the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(PROGRAM), args=[_ALLOWED_PORTS]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def person(browser: Browser, window: Window, state: Any = None) -> Iterator[BrowserContext]:  # noqa: ANN401 - Playwright's
    """Open the window of a new visitor, whose cookies are `state` if given."""
    context = browser.new_context(
        viewport={"width": window.screen.width, "height": window.screen.height},
        color_scheme=window.colors,
        java_script_enabled=window.script,
        locale=window.language,
        storage_state=state,
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


@dataclass
class Noise:
    """What must not happen on any page: dialogs, errors, refused contents, foreign requests."""

    heard: list[str] = field(default_factory=list)

    def listen(self, page: Page, origin: str) -> None:
        """Record what a page does; requests outside of `origin` count."""
        page.on("dialog", lambda dialog: self._dialog(dialog.message, dialog.dismiss))
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("console", self._message)
        page.on("request", lambda request: self._request(request.url, origin))

    def _dialog(self, message: str, dismiss: Any) -> None:  # noqa: ANN401 - Playwright's
        self.heard.append(f"dialog: {message}")
        dismiss()

    def _message(self, message: Any) -> None:  # noqa: ANN401 - Playwright's
        # Chromium reports every answer that is not 2xx; tests look at those themselves.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.heard.append(f"console: {message.text}")

    def _request(self, url: str, origin: str) -> None:
        if not url.startswith((f"{origin}/", "data:", "about:")):
            self.heard.append(f"request: {url}")


def cookies(context: BrowserContext) -> Mapping[str, str]:
    """Return the cookies of a window by name."""
    return {each["name"]: each["value"] for each in context.cookies()}
