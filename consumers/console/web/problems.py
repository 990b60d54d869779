"""Errors of handlers: each has its HTTP status and a text for the person."""

from collections.abc import Mapping


class PageProblem(Exception):  # noqa: N818 - named for what it is
    """A request that is not answered; `key` names the text with the reason."""

    status = 500
    reason = "failed"

    def __init__(self, key: str, values: Mapping[str, object] | None = None) -> None:
        """Keep the key of the text and its values."""
        super().__init__(key)
        self.key = key
        self.values = values or {}


class NotThere(PageProblem):
    """There is no such thing, or the person may not see it: both look the same."""

    status = 404
    reason = "unknown"

    def __init__(self, key: str = "web.problem.not_there") -> None:
        """Keep the key of the text."""
        super().__init__(key)


class NotPermitted(PageProblem):
    """The person lacks the role."""

    status = 403
    reason = "role"

    def __init__(self, key: str = "web.problem.not_permitted") -> None:
        """Keep the key of the text."""
        super().__init__(key)


class ReadOnly(PageProblem):
    """Actions are off."""

    status = 403
    reason = "read_only"

    def __init__(self) -> None:
        """Keep the key of the text."""
        super().__init__("web.problem.read_only")


class WrongInput(PageProblem):
    """A field has a wrong value: `field` names it, `expected` is what is right."""

    status = 400
    reason = "input"

    def __init__(self, field: str, expected: str) -> None:
        """Keep the field and what it expects."""
        super().__init__("web.problem.wrong_input", {"field": field, "expected": expected})


class WrongOrigin(PageProblem):
    """A form that was not sent by a page of the console, or has lost its token."""

    status = 403
    reason = "csrf"

    def __init__(self) -> None:
        """Keep the key of the text."""
        super().__init__("web.problem.wrong_origin")


class NotSignedIn(PageProblem):
    """A request for which someone has to sign in first."""

    status = 401
    reason = "not_signed_in"

    def __init__(self) -> None:
        """Keep the key of the text."""
        super().__init__("web.problem.not_signed_in")


class WrongHost(PageProblem):
    """A request under a name that the console does not have."""

    status = 421
    reason = "host"

    def __init__(self) -> None:
        """Keep the key of the text."""
        super().__init__("web.problem.wrong_host")


class TooLarge(PageProblem):
    """A form that is too large."""

    status = 413
    reason = "too_large"

    def __init__(self) -> None:
        """Keep the key of the text."""
        super().__init__("web.problem.too_large")


class TooSlow(PageProblem):
    """A database or a broker that took too long."""

    status = 503
    reason = "slow"

    def __init__(self, seconds: float) -> None:
        """Keep the time-out in seconds."""
        super().__init__("web.problem.too_slow", {"seconds": f"{seconds:g}"})


class Away(PageProblem):
    """A database or broker that cannot be read; `why` is one line without a secret."""

    status = 503
    reason = "away"

    def __init__(self, why: str) -> None:
        """Keep the cause."""
        super().__init__("web.problem.away", {"why": why})
