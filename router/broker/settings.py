"""`[kafka]`: addresses of the broker, and credentials of its clients."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from router.secrets.secret_text import Passphrase, Secret

_SERVER = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_HIGHEST_PORT = 65535

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class KafkaSettings(BaseModel):
    """`[kafka]`: addresses of the brokers, and credentials of every client.

    Each process needs it. TLS: `security_protocol` SSL or SASL_SSL, with `ssl_cafile` if the
    brokers' certificates are your own authority's. SASL: `sasl_mechanism`, and a user with a
    password or a file with a token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str = Field(
        "localhost:9092",
        description="Addresses of some brokers, as host:port with a comma between.",
        examples=["kafka-1:9092,kafka-2:9092"],
    )
    security_protocol: SecurityProtocol = Field(
        "PLAINTEXT", description="Whether connections use TLS (SSL), SASL, both or neither."
    )
    sasl_mechanism: SaslMechanism | None = Field(
        None,
        description="How a client logs in. Required by both protocols with SASL.",
        examples=["SCRAM-SHA-512"],
    )
    sasl_username: str | None = Field(
        None, description="User that a client logs in as.", examples=["payrouter"]
    )
    sasl_password: Secret | None = Field(
        None,
        description="Password of that user.",
        examples=["REPLACE-with-the-password"],
    )
    sasl_password_file: Path | None = Field(
        None,
        description="File with the password, instead of `sasl_password`; it is read again for each"
        " new connection.",
        examples=["/run/secrets/kafka_password"],
    )
    sasl_token_file: Path | None = Field(
        None,
        description="File with the token of OAUTHBEARER; it is read for every token.",
        examples=["/run/secrets/kafka_token"],
    )
    ssl_cafile: Path | None = Field(
        None,
        description="PEM file with the authorities that sign the brokers' certificates. Default:"
        " those of the operating system.",
        examples=["/run/secrets/kafka_ca.pem"],
    )
    ssl_certfile: Path | None = Field(
        None,
        description="PEM file with the client's certificate, for mutual TLS.",
        examples=["/run/secrets/kafka_client.pem"],
    )
    ssl_keyfile: Path | None = Field(
        None,
        description="PEM file with the private key of that certificate.",
        examples=["/run/secrets/kafka_client.key"],
    )
    ssl_key_password: Passphrase | None = Field(
        None,
        description="Password of that private key, if it is encrypted.",
        examples=["REPLACE with the password"],
    )
    client_id: str = Field(
        "payrouter",
        description="Name by which the brokers log and limit the clients.",
        examples=["payrouter-eu"],
    )
    cluster_id: str | None = Field(
        None,
        description="Cluster id that positions are stored under, after a move to another cluster."
        " Default: the brokers' own.",
        examples=["MkU3OEVBNTcwNTJENDM2Qk"],
    )
    max_request_bytes: int = Field(
        1024 * 1024,
        ge=16 * 1024,
        description="Largest request of a producer, and so the largest record.",
        examples=[4194304],
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _servers(cls, servers: str) -> str:
        matches = [_SERVER.fullmatch(server.strip()) for server in servers.split(",")]
        if not all(match and 0 < int(match[1]) <= _HIGHEST_PORT for match in matches):
            message = "expected host:port, several with a comma between"
            raise ValueError(message)
        return servers

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.security_protocol.startswith("SASL"):
            return self
        if self.sasl_mechanism is None:
            message = f"{self.security_protocol} needs sasl_mechanism"
            raise ValueError(message)
        needed = ["sasl_username", "sasl_password"]
        if self.sasl_mechanism == "OAUTHBEARER":
            needed = ["sasl_token_file"]
        for name in needed:
            if getattr(self, name) is None:
                message = f"{self.sasl_mechanism} needs {name}"
                raise ValueError(message)
        return self
