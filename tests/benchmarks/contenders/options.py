"""Options of every program that the edge is compared with."""

import argparse
import os
from dataclasses import dataclass

SECRET_VARIABLE = "BENCH_SECRET"
"""Environment variable with the key of the signatures."""

PATH = "/webhooks/shop"


@dataclass(frozen=True)
class Options:
    """Where to listen and publish, and the key of the signatures."""

    port: int
    bootstrap: str
    topic: str
    secret: bytes


def read_options() -> Options:
    """Read the command line, and the key from the environment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    given = parser.parse_args()
    secret = os.environ[SECRET_VARIABLE].encode()
    return Options(given.port, given.bootstrap, given.topic, secret)
