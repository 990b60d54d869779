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
    """Client settings, for producers and consumers alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str = "localhost:9092"
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: Secret | None = None
    sasl_password_file: Path | None = None
    sasl_token_file: Path | None = Field(None, description="OAUTHBEARER: read for every token")
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: Passphrase | None = None
    client_id: str = "payrouter"
    cluster_id: str | None = None
    max_request_bytes: int = Field(1024 * 1024, ge=16 * 1024)

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
