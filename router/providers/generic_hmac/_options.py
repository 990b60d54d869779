"""Options of an endpoint of this provider: how a delivery is signed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from router.providers import OPTIONS
from router.providers._mapping import CheckedMapping, HeaderName
from router.providers._reading import Path
from router.providers._signing import TimeUnit

BODY: Final = "{body}"
TIME: Final = "{time}"
EVENT: Final = "{event}"
URL: Final = "{url}"

_PLACES = re.compile(r"(\{(?:body|time|event|url)\})")

PartName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Separator = Annotated[str, StringConstraints(pattern=r"^[,;&|]$")]


class SignedTime(BaseModel):
    """`[endpoints.NAME.time]`: place of the signed time; one of `header`, `part` and `field`."""

    model_config = OPTIONS

    header: HeaderName | None = Field(
        None, description="Header that has the time.", examples=["X-Timestamp"]
    )
    part: PartName | None = Field(
        None, description="Part of the signature header that has the time.", examples=["t"]
    )
    field: Path | None = Field(
        None, description="Path of the time in the body.", examples=["timestamp"]
    )
    unit: TimeUnit = Field(
        "s",
        description="How the time is written: Unix time in `s`, `ms`, `us` or `ns`, `iso` with an"
        " offset, `iso-utc` without one, or `rfc2822`.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.header, self.part, self.field)) != 1:
            message = "set header, part or field"
            raise ValueError(message)
        return self


class GenericHmacOptions(BaseModel):
    """Any gateway that signs with an HMAC: place of the signature, and what it covers.

    The signature header is one signature, or, with `signature_part`, a list of parts such as
    `t=1700000000,v1=…,v1=…`.
    """

    model_config = OPTIONS

    signature_header: HeaderName = Field(
        "x-signature",
        description="Header that has the signature, in any case.",
        examples=["Stripe-Signature"],
    )
    signature_prefix: str = Field(
        "", description="Text before the signature in its header.", examples=["sha256="]
    )
    signature_part: PartName | None = Field(
        None,
        description="Name of the part of the header that has the signature. Default: the whole"
        " header.",
        examples=["v1"],
    )
    part_separator: Separator = Field(
        ",", description="Character between two parts: one of , ; & |.", examples=[";"]
    )
    algorithm: Literal["sha256", "sha384", "sha512"] = Field(
        "sha256", description="Hash of the HMAC."
    )
    encoding: Literal["hex", "hex-upper", "base64"] = Field(
        "hex", description="How the signature is written."
    )
    key_encoding: Literal["text", "hex", "base64"] = Field(
        "text", description="How the secret is written; `text` is used unchanged, as UTF-8."
    )
    signed: str = Field(
        BODY,
        description="What is signed: text with `{body}` once, and with `{time}`, `{url}` and"
        " `{event}` as needed.",
        examples=["{time}.{body}"],
    )
    time: SignedTime | None = Field(
        None, description="Place of the signed time. Without it nothing is stale."
    )
    answer: str = Field(
        "OK", description="Body of the answer that the gateway takes as success.", examples=["ok"]
    )
    mapping: CheckedMapping = Field(description="Meaning of the gateway's words and fields.")

    @model_validator(mode="after")
    def _covered(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError(*problems)
        return self

    def _problems(self) -> Iterator[str]:
        texts, counts = self.pieces[::2], self._counts
        if counts[BODY] != 1 or any(set("{}") & set(text) for text in texts):
            yield f"signed: expected {BODY} once, with {TIME} and other text around it"
        outside = self.time is not None and self.time.field is None
        if counts[TIME] != int(outside):
            yield (
                f"signed: expected {TIME} once if time.header or time.part is set,"
                " and never otherwise"
            )
        if counts[EVENT] and self.mapping.event_header is None:
            yield f"signed: {EVENT} needs mapping.event_header"
        if self.time is not None and self.time.part is not None and self.signature_part is None:
            yield "time.part: needs signature_part, the name of the part with the signature"

    @cached_property
    def pieces(self) -> Sequence[str]:
        """The template, taken apart: texts at even places, names of contents at odd ones."""
        return _PLACES.split(self.signed)

    @property
    def _counts(self) -> Mapping[str, int]:
        return {name: self.pieces.count(name) for name in (BODY, TIME, EVENT, URL)}

    def signs(self, content: str) -> bool:
        """Return whether the signature covers this content of the template."""
        return content in self.pieces
