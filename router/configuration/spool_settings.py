"""`[spool]`: where the edge stores deliveries while the broker is away."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SpoolSettings(BaseModel):
    """`[spool]`: where the edge stores deliveries while the broker is away.

    Without `path` there is no spool, and a delivery that the broker does not acknowledge in time is
    answered 503. The disk must outlive the process and its machine or container.
    """

    model_config = _STRICT

    path: Path | None = Field(
        None,
        description="Folder of the spool, on a disk that outlives the process. Default: none, so"
        " nothing is stored.",
        examples=["/var/lib/payrouter/spool"],
    )
    max_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Most bytes that the files of the spool take, of all workers together; beyond"
        " it deliveries are answered 503.",
        examples=[8589934592],
    )
    max_age_seconds: float = Field(
        86400,
        ge=60,
        description="How long a record may wait. Beyond it nothing more is stored, and a record"
        " that the broker refuses is set aside.",
        examples=[259200],
    )
    reserve_seconds: float = Field(
        0.5,
        gt=0,
        le=30,
        description="Part of a delivery's deadline that is left for the disk: until then the"
        " broker has time. At most half of the time left.",
        examples=[1],
    )
    drain_seconds: float = Field(
        10,
        ge=0,
        le=3600,
        description="How long a stopping edge waits until the spool is published.",
        examples=[60],
    )
