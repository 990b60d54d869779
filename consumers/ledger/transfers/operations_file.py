"""The lines of a file with a ledger's own operations: JSON objects, between a header and an end.

Transfers have their id of the ledger. Decisions about cases and records of operations are numbered
by the database, so their id is derived from their content: two ledgers may use the same numbers.
"""

import json
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from consumers.ledger.chart import LedgerAccount, Purpose
from consumers.ledger.transfers.transfer import Transfer
from router.contract.amounts import Amount
from router.contract.fields import Text

FORMAT: Final = "payrouter.ledger.operations"
"""Name of the format, in the header."""

VERSION: Final = 1
"""Version of the format that is written and read."""

_NAMESPACE: Final = UUID("0b6a2c1e-93d4-5f6f-8a51-6c1f7f3f2f0e")
"""Namespace of derived ids. Never change it: files and databases refer to these ids."""


def _above_zero(amount: Decimal) -> Decimal:
    if not amount:
        message = "must be above zero"
        raise ValueError(message)
    return amount


def _without_nul(text: str) -> str:
    if "\0" in text:
        message = "must not contain NUL"
        raise ValueError(message)
    return text


Storable = Annotated[str, AfterValidator(_without_nul)]
"""Text of any length that a column of the database can hold."""

Stored = Annotated[Storable, Field(min_length=1)]
"""The same, not empty."""


_LINE: Final = ConfigDict(
    frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, validate_by_name=True
)


def _content_id(kind: str, row: Mapping[str, Any]) -> UUID:
    content = {**row, "at": row["at"].astimezone(UTC).isoformat()}
    if content.get("assignee", "") is None:
        # Files of earlier versions have no such field, and their ids stay the same.
        del content["assignee"]
    return uuid5(_NAMESPACE, json.dumps([kind, content], sort_keys=True))


class OperationsHeader(BaseModel):
    """The first line."""

    model_config = _LINE

    type: Literal["header"] = "header"
    format: Literal["payrouter.ledger.operations"] = FORMAT
    version: int
    exported_at: AwareDatetime


class AccountLine(BaseModel):
    """A ledger account, in its parts."""

    model_config = _LINE

    account: Text
    provider: Text
    purpose: Purpose
    network: Text | None

    @classmethod
    def of(cls, account: LedgerAccount) -> Self:
        """Return the parts of an account."""
        return cls(
            account=account.account,
            provider=account.provider,
            purpose=account.purpose,
            network=account.network,
        )

    def as_account(self) -> LedgerAccount:
        """Return the account."""
        return LedgerAccount(self.account, self.provider, self.purpose, self.network)


class TransferLine(BaseModel):
    """A transfer."""

    model_config = _LINE

    type: Literal["transfer"] = "transfer"
    id: UUID
    recorded_at: AwareDatetime
    who: Text
    reason: Text
    at: AwareDatetime
    source: Annotated[AccountLine, Field(alias="from")]
    target: Annotated[AccountLine, Field(alias="to")]
    amount: Annotated[Amount, AfterValidator(_above_zero)]
    currency: Text
    reference: Text | None
    undoes: UUID | None

    @classmethod
    def of(cls, transfer: Transfer) -> Self:
        """Return the line of a transfer."""
        sides = {
            "source": AccountLine.of(transfer.source),
            "target": AccountLine.of(transfer.target),
        }
        return cls.model_validate({**vars(transfer), **sides})

    def as_transfer(self) -> Transfer:
        """Return the transfer."""
        parts = {name: getattr(self, name) for name in type(self).model_fields if name != "type"}
        sides = {"source": self.source.as_account(), "target": self.target.as_account()}
        return Transfer(**{**parts, **sides})


class CaseWordLine(BaseModel):
    """A decision or note of an operator about a case."""

    model_config = _LINE

    type: Literal["case_word"] = "case_word"
    id: UUID
    at: AwareDatetime
    kind: Stored
    subject: Stored
    digest: Stored
    case_id: Stored
    word: Literal["assigned", "closed", "note", "reopened"]
    reason: Stored
    who: Stored
    facts: Mapping[Storable, Storable]
    assignee: Stored | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the line of a row of `case_word`."""
        return cls(id=_content_id("case_word", row), **row)

    @property
    def content_id(self) -> UUID:
        """The id that this content has."""
        return _content_id("case_word", self.columns)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The values of a row of `case_word`."""
        return self.model_dump(exclude={"id", "type"})


class OperationLine(BaseModel):
    """The record of an operation: who did what, and when."""

    model_config = _LINE

    type: Literal["operation"] = "operation"
    id: UUID
    at: AwareDatetime
    who: Stored
    what: Stored
    detail: Storable

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the line of a row of `operation`."""
        return cls(id=_content_id("operation", row), **row)

    @property
    def content_id(self) -> UUID:
        """The id that this content has."""
        return _content_id("operation", self.columns)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The values of a row of `operation`."""
        return self.model_dump(exclude={"id", "type"})


class OperationsEnd(BaseModel):
    """The last line; `lines` is the number of those between it and the header."""

    model_config = _LINE

    type: Literal["end"] = "end"
    lines: int


OperationsEntry = TransferLine | CaseWordLine | OperationLine
"""A line between the header and the end."""

OperationsLine = Annotated[
    OperationsHeader | TransferLine | CaseWordLine | OperationLine | OperationsEnd,
    Field(discriminator="type"),
]
"""Any line."""
