"""`[endpoints.NAME]`: settings of an endpoint that do not depend on its provider, and its mode.

Test money is never mixed with real money. A provider reports for each event that its money is
real, is not, or that this is unknown. Only a contradiction of the endpoint's mode stops the event.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from router.configuration.values import PUBLISHED, Files, Networks, PublicUrl, Several
from router.contract.event import Event
from router.contract.fields import Text
from router.errors import NotUnderstood, Reason
from router.secrets.secret_text import Secret

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_ENDPOINT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TEN_YEARS_SECONDS = 10 * 366 * 24 * 3600

Mode = Literal["live", "test"]

_REFUSED: Final[Mapping[Mode, tuple[bool, Reason, str]]] = {
    "live": (True, Reason.TEST_MONEY, 'test money at a live endpoint: give it one of mode "test"'),
    "test": (False, Reason.LIVE_MONEY, 'live money at a test endpoint: give it one of mode "live"'),
}


class EndpointSettings(BaseModel):
    """`[endpoints.NAME]`: one URL that a gateway is given, `/webhooks/NAME`.

    Add one for each gateway and merchant. A name is a-z 0-9 _ and -. Two endpoints of one
    merchant share an `account` if they have the same `mode`. An endpoint also has the keys of
    its provider.
    """

    model_config = _STRICT

    provider: str = Field(
        description="Name of the gateway's provider, which verifies and reads its deliveries.",
        examples=["blockatm"],
    )
    account: Text = Field(
        description="Merchant that the money belongs to. Part of every key in the books, so it must"
        " never change. Default: the endpoint's name.",
        examples=["shop-eu"],
    )
    mode: Mode = Field(
        "live",
        description="Whether the endpoint takes real money or test money; it refuses the other.",
    )
    secrets: Several = Field(
        (),
        description="Secrets that a delivery may be signed with; all of them are active.",
        examples=[["REPLACE-with-the-secret-of-the-gateway"]],
    )
    secret_files: Files = Field(
        (),
        description="Files with one secret each, in addition to `secrets`; a changed file is read"
        " again without a restart.",
        examples=[["/run/secrets/shop/current", "/run/secrets/shop/next"]],
    )
    token: Secret | None = Field(
        None,
        description="Secret last part of the endpoint's URL, 16 to 128 of A-Z a-z 0-9 _ and -."
        " Required by `blockbee`, whose key is the same for all merchants.",
        examples=["REPLACE-with-a-random-text"],
    )
    tolerance_seconds: float | None = Field(
        None,
        gt=0,
        le=_TEN_YEARS_SECONDS,
        description="How far the signed time of a delivery may be from now; a delivery outside is"
        " stale. Default: the gateway's own window.",
        examples=[300],
    )
    deadline_seconds: float = Field(
        2.5,
        gt=0,
        le=60,
        description="How long a delivery may take, from its head to its answer; less than the"
        " gateway's time-out.",
        examples=[5],
    )
    public_url: PublicUrl | None = Field(
        None,
        description="URL before the path as this gateway calls it. Default: `edge.public_url`.",
        examples=["https://pay.example.com"],
    )
    allow_from: Networks | None = Field(
        None,
        description="Addresses and networks that may deliver, or the word `published` for the list"
        " that the gateway publishes. Default: every address.",
        examples=[["203.0.113.0/24"], "published"],
    )
    options: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Keys that belong to the provider."
    )

    @model_validator(mode="before")
    @classmethod
    def _hand_on_options(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        own = cls.model_fields.keys() - {"options"}
        handed_on = {key: value for key, value in values.items() if key not in own}
        return {key: values[key] for key in own & values.keys()} | {"options": handed_on}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.allow_from == ():
            message = "allow_from: empty, so no address could deliver"
            raise ValueError(message)
        if self.allow_from and PUBLISHED in self.allow_from and len(self.allow_from) > 1:
            message = "allow_from: networks, or the word published alone"
            raise ValueError(message)
        return self

    @field_validator("token")
    @classmethod
    def _token_fits_a_path(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(
            r"[A-Za-z0-9_-]{16,128}", token.get_secret_value()
        ):
            message = "a token is 16 to 128 of A-Z a-z 0-9 _ -"
            raise ValueError(message)
        return token

    def guards(self) -> list[tuple[str, str]]:
        """Return the secrets and the URL token, each with its key."""
        secrets = [("secrets", secret.get_secret_value()) for secret in self.secrets]
        return secrets + ([("token", self.token.get_secret_value())] if self.token else [])


def of_mode(events: Sequence[Event], mode: Mode, came_under: Mode | None = None) -> Sequence[Event]:
    """Return the events as those of an endpoint of this mode; at a test endpoint all are test.

    `came_under` is the mode at arrival. If the endpoint's mode is different now, the events
    themselves must contain it. Raises NotUnderstood if one of the events is of the other mode:
    then none continues, since they belong to one delivery.
    """
    wrong, reason, detail = _REFUSED[mode]
    if any(event.test is wrong for event in events):
        raise NotUnderstood(reason, detail)
    if came_under not in {None, mode} and any(event.test is None for event in events):
        detail = f"the endpoint's mode was {came_under} when it arrived, and it contains no mode"
        raise NotUnderstood(reason, detail)
    if mode == "live":
        return events
    return [event.model_copy(update={"test": True}) for event in events]


def contradictions(endpoints: Mapping[str, EndpointSettings]) -> list[str]:
    """Return the problems with the names of endpoints, and between two of them."""
    owners: dict[tuple[str, str], str] = {}
    problems = []
    for name, endpoint in endpoints.items():
        if not _ENDPOINT_NAME.fullmatch(name):
            problems.append(
                f"endpoints.{name}: a name is a-z 0-9 _ - and begins with a letter or digit"
            )
        for key, word in endpoint.guards():
            other = owners.setdefault((key, word), name)
            if endpoints[other].account != endpoint.account:
                problems.append(
                    f"endpoints.{name}.{key}: the same {key.removesuffix('s')} is set for"
                    f" endpoints.{other}, which has another account"
                )
    return problems + shared_accounts(endpoints)


def shared_accounts(endpoints: Mapping[str, EndpointSettings]) -> list[str]:
    """Return a problem for each endpoint that shares its account with one of the other mode."""
    first: dict[str, str] = {}
    problems = []
    for name, endpoint in endpoints.items():
        other = first.setdefault(endpoint.account, name)
        if endpoints[other].mode != endpoint.mode:
            problems.append(
                f"endpoints.{name}.mode: {endpoint.mode}, and endpoints.{other} is"
                f" {endpoints[other].mode} under the same account, {endpoint.account}:"
                " test money needs a separate account"
            )
    return problems


def valid_endpoints(read: Mapping[str, Any]) -> dict[str, EndpointSettings]:
    """Return the endpoints of a configuration whose own tables are valid."""
    tables = read.get("endpoints")
    found = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        with contextlib.suppress(ValidationError):
            found[name] = EndpointSettings.model_validate(table)
    return found
