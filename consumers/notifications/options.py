"""Options of `[consumers.notifications]`."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consumers.notifications.rules import CUSTOMER, DEFAULT_RULES, LOG, OPERATORS, Rule
from consumers.notifications.sending.addresses import mailbox
from consumers.notifications.sending.apprise_channel import AppriseChannel, ChannelError
from consumers.notifications.sending.rendering import TextsError, checked_texts
from router.secrets.secret_text import Secret

_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class ChannelOptions(BaseModel):
    """`[consumers.notifications.channels.NAME]`: a way to send messages, with rate and retries."""

    model_config = _STRICT

    url: Secret | None = Field(
        None,
        description="Destination, as an Apprise URL. Required, unless `url_file` is set.",
        examples=["jsons://pager.example.com/hook"],
    )
    url_file: Path | None = Field(
        None,
        description="File with that URL.",
        examples=["/run/secrets/pager_url"],
    )
    per_minute: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most messages in any minute, over all instances. Default: no limit.",
        examples=[60],
    )
    attempts: int = Field(
        8, ge=1, le=100, description="Tries before a message has failed.", examples=[3]
    )
    timeout_seconds: float = Field(
        10, gt=0, le=120, description="How long one try may take, end to end.", examples=[30]
    )
    retry_seconds: float = Field(
        5,
        gt=0,
        description="Pause before the second try; each pause is twice as long.",
        examples=[30],
    )
    retry_longest_seconds: float = Field(
        3600, gt=0, description="Longest pause between two tries.", examples=[900]
    )
    at_once: int = Field(
        4, ge=1, le=100, description="Most messages being sent, per instance.", examples=[1]
    )

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, values: object) -> object:
        if not isinstance(values, dict) or values.get("url_file") is None:
            return values
        if values.get("url") is not None:
            message = "url_file: url is given as well"
            raise ValueError(message)
        try:
            text = Path(str(values["url_file"])).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            file = str(values["url_file"])
            # Text that is not a path may be the URL itself, which is secret.
            file = file if file.startswith(("/", "./", "../")) else "the file that is named there"
            message = f"url_file: cannot read {file}: {type(error).__name__}"
            raise ValueError(message) from None
        return {**values, "url": text}

    @model_validator(mode="after")
    def _has_url(self) -> Self:
        if self.url is None:
            message = "no url: set url or url_file"
            raise ValueError(message)
        return self


class OperatorOptions(BaseModel):
    """`[consumers.notifications.operators.NAME]`: a recipient on the merchant's side."""

    model_config = _STRICT

    email: str | None = Field(
        None,
        description="Mail address; required by channels whose URL has no recipient.",
        examples=["on-call@example.com"],
    )
    language: str | None = Field(
        None,
        description="Language of the messages. Default: that of the consumer.",
        examples=["de"],
    )

    @model_validator(mode="after")
    def _is_one_mailbox(self) -> Self:
        if self.email is not None and mailbox(self.email) is None:
            message = "email: one plain address, such as on-call@example.com"
            raise ValueError(message)
        return self


class NotificationOptions(BaseModel):
    """`[consumers.notifications]`: recipients, channels and texts of messages.

    Without rules and channels of your own, messages are only written to the log.
    """

    model_config = _STRICT

    rules: tuple[Rule, ...] = Field(
        tuple(Rule.model_validate(each) for each in DEFAULT_RULES),
        description="Which events are sent to whom by which channel; they replace the built-in"
        " ones. Default: customers and operators, on the channel `log`.",
        examples=[[{"on": ["payout.failed"], "to": "operators", "channels": ["log"]}]],
    )
    channels: dict[str, ChannelOptions] = Field(
        default_factory=dict,
        description="Ways to send messages, by name, in addition to the built-in channel `log`.",
        examples=[{"pager": {"url_file": "/run/secrets/pager_url"}}],
    )
    operators: dict[str, OperatorOptions] = Field(
        {OPERATORS: OperatorOptions()},
        description="Recipients on the merchant's side, by name. Default: one, `operators`,"
        " without an address.",
        examples=[{"operators": {"email": "on-call@example.com"}}],
    )
    paid: Literal["inventory", "gateway"] = Field(
        "inventory",
        description="Source of the fact that an order is paid: the inventory, or one event of a"
        " gateway that reports the expected amount.",
    )
    language: str = Field(
        "en",
        description="Language for an order that names none, or one without texts.",
        examples=["de"],
    )
    templates: Path | None = Field(
        None,
        description="Folder of texts that override the built-in ones.",
        examples=["/etc/payrouter/texts"],
    )
    wait_for_order_seconds: float = Field(
        600,
        ge=0,
        description="How long a customer's message waits for an order with an address.",
        examples=[3600],
    )
    skip_older_than_hours: float = Field(
        72,
        gt=0,
        description="Older events are recorded without sending messages.",
        examples=[24],
    )
    keep_addresses_days: float = Field(
        90, gt=0, description="How long customers' addresses are stored.", examples=[30]
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for name in (*self.channels, *self.operators):
            if not _NAME.fullmatch(name) or name == CUSTOMER:
                message = f"{name}: a name is a-z 0-9 _ - and begins with a letter or digit"
                raise ValueError(message)
        if LOG in self.channels:
            message = f"channels.{LOG}: the built-in channel takes no configuration"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _rules_name_known_channels(self) -> Self:
        channels = {name: self._opened(name) for name in self.channels}
        for number, rule in enumerate(self.rules, start=1):
            if rule.to != CUSTOMER and rule.to not in self.operators:
                message = f"rules, number {number}: to: there is no [operators.{rule.to}]"
                raise ValueError(message)
            for name in rule.channels:
                if name != LOG:
                    self._check_reaches(channels, rule, name, number)
        return self

    def _opened(self, name: str) -> AppriseChannel:
        url = self.channels[name].url
        try:
            return AppriseChannel(url.get_secret_value() if url else "")
        except ChannelError as problem:
            message = f"channels.{name}.url: {problem}"
            raise ValueError(message) from None

    def _check_reaches(
        self, channels: dict[str, AppriseChannel], rule: Rule, name: str, number: int
    ) -> None:
        place = f"rules, number {number}: channels"
        if name not in channels:
            message = f"{place}: there is no [channels.{name}]"
            raise ValueError(message)
        addressed = channels[name].addressed
        if rule.to == CUSTOMER and not addressed:
            message = (
                f"{place}: {name} cannot reach customers;"
                " use mailto:// or mailtos:// without a recipient"
            )
            raise ValueError(message)
        if rule.to != CUSTOMER and addressed and self.operators[rule.to].email is None:
            message = f"{place}: {name} needs operators.{rule.to}.email"
            raise ValueError(message)

    @model_validator(mode="after")
    def _texts_render(self) -> Self:
        try:
            checked_texts(self.templates, self.language)
        except TextsError as problem:
            message = str(problem)
            raise ValueError(message) from None
        return self
