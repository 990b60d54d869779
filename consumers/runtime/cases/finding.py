"""Cases that hold for a subject, as a column of its row.

The column is JSON, by kind: `{"refund-exceeds": {"digest": …, "since": …, "facts": {…}}}`. It is a
function of the subject's facts, except `since`, the moment when the case arose. It is null without
a case, so that a partial index finds the rows with one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

CasesColumn = Mapping[str, Mapping[str, object]]
"""The column `cases` of a subject's row, by kind."""


@dataclass(frozen=True)
class Finding:
    """A kind of case that holds, with the decisive facts as text: amounts, currencies, statuses.

    A case that an operator closed opens again if its facts change.
    """

    kind: str
    facts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Identity of the case's facts: 16 hexadecimal digits."""
        text = json.dumps([self.kind, dict(self.facts)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def cases_column(
    before: CasesColumn | None, findings: Iterable[Finding], at: datetime
) -> CasesColumn | None:
    """Return the column for the findings; a case with the same facts as `before` keeps its `since`.

    `at` is the moment of arrival of the event that leads to the findings, with time zone.
    """
    known = before or {}
    column = {
        each.kind: {
            "digest": each.digest,
            "since": _since(known, each, at),
            "facts": dict(each.facts),
        }
        for each in findings
    }
    return column or None


def _since(known: CasesColumn, finding: Finding, at: datetime) -> object:
    entry = known.get(finding.kind, {})
    return entry["since"] if entry.get("digest") == finding.digest else at.isoformat()
