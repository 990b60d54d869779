"""Result of a check: what was checked, how it is, and what to do about it."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class CheckedArea(StrEnum):
    """Subject of a check; the values of `--only`."""

    CONFIGURATION = "configuration"
    ENDPOINTS = "endpoints"
    BROKER = "broker"
    STORES = "stores"


class CheckState(StrEnum):
    """`FAIL` if a process would not start or would lose or refuse events, `WARN` if it may."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class CheckResult:
    """One line of the report; `remedy` is empty only if the state is `OK`."""

    state: CheckState
    area: CheckedArea
    what: str
    found: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {
            "area": self.area.value,
            "check": self.what,
            "state": self.state.value,
            "found": self.found,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class CheckedThing:
    """Makes the results about one thing: a topic, a consumer's store, an endpoint."""

    area: CheckedArea
    what: str

    def ok(self, found: str) -> CheckResult:
        """Return that it is as it should be."""
        return CheckResult(CheckState.OK, self.area, self.what, found)

    def warn(self, found: str, remedy: str) -> CheckResult:
        """Return that it may be wrong, and what to do."""
        return CheckResult(CheckState.WARN, self.area, self.what, found, remedy)

    def fail(self, found: str, remedy: str) -> CheckResult:
        """Return that it is wrong, and what to do."""
        return CheckResult(CheckState.FAIL, self.area, self.what, found, remedy)


def has_failed(results: Collection[CheckResult]) -> bool:
    """Return whether there is a result that would stop a process."""
    return any(result.state is CheckState.FAIL for result in results)
