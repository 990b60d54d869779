"""What the environment asks of the tests, and nothing of it left for the code under test."""

import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Wishes:
    """Options of the run, read from the variables before those are removed."""

    database_url: str | None
    """PAYROUTER_TEST_DATABASE_URL: a PostgreSQL where databases may be made and dropped."""
    broker: str | None
    """PAYROUTER_TEST_BROKER: `evaluation` to do without a real Kafka."""
    bootstrap_servers: str | None
    """KAFKA_BOOTSTRAP_SERVERS: a Kafka that is there already."""
    chaos_long: bool
    """PAYROUTER_CHAOS_LONG: the long form of the fault runs."""
    ci: bool
    """CI: nothing may be left out."""

    @classmethod
    def take(cls) -> Self:
        """Read the wishes and remove every PAYROUTER_ variable, for programs started later too."""
        wishes = cls(
            database_url=os.environ.get("PAYROUTER_TEST_DATABASE_URL"),
            broker=os.environ.get("PAYROUTER_TEST_BROKER"),
            bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"),
            chaos_long=os.environ.get("PAYROUTER_CHAOS_LONG", "") not in {"", "0"},
            ci=os.environ.get("CI", "") == "true",
        )
        for name in [name for name in os.environ if name.startswith("PAYROUTER_")]:
            del os.environ[name]
        return wishes
