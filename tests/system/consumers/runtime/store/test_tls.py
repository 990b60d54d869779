"""TLS with a real PostgreSQL, as the URL asks for it in libpq's words; what is wrong is named."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from consumers.ledger.service import SERVICE
from consumers.roles.verifier import scram_verifier
from consumers.runtime.apply.failures import describe
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import (
    StoreAway,
    StoreUnavailable,
    reading,
    transaction_of,
)
from consumers.runtime.store.engines import open_engine
from router.configuration.settings import read_database
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.databases import execute
from tests.parts.edge.certificates import write_pair
from tests.parts.tls_postgres import TlsPostgres, programs, tls_postgres

PASSWORD = "never-printed-0123456789"


@pytest.fixture(scope="module")
def server(wishes_ci: bool) -> Iterator[TlsPostgres]:  # noqa: FBT001 - a fixture
    """Run PostgreSQL with a role that has a password, or skip the tests; in CI none is skipped."""
    found = programs()
    if found is None:
        reason = "no PostgreSQL with TLS (Debian: apt install postgresql)"
        (pytest.fail if wishes_ci else pytest.skip)(reason)
    with tls_postgres(found) as running:
        admin = running.url("ssl=disable", host="127.0.0.1")
        execute(admin, f"CREATE ROLE payer LOGIN PASSWORD '{scram_verifier(PASSWORD)}'")
        execute(admin, "CREATE ROLE localhost LOGIN")
        yield running


def settings(url: str) -> ConsumerSettings:
    read = read_database({"url": url}, "database").url
    assert read is not None
    return ConsumerSettings(
        name=SERVICE.name,
        kafka=connection_to("localhost:1"),
        database_url=SecretStr(read.get_secret_value()),
        topics=Topics(""),
        tuning=Tuning(),
    )


async def is_encrypted(url: str) -> bool:
    query = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    engine = open_engine(settings(url))
    try:
        async with transaction_of(engine) as connection:
            return bool(await connection.scalar(query))
    finally:
        await engine.dispose()


async def problems(url: str) -> tuple[str, str]:
    """Return what a process reports about a connection, and what a command does."""
    with pytest.raises(StoreAway) as away:
        await is_encrypted(url)
    with pytest.raises(StoreUnavailable) as unavailable:
        async with reading(settings(url)) as connection:
            await connection.execute(text("SELECT 1"))
    return describe(away.value), str(unavailable.value)


@pytest.mark.parametrize(
    ("query", "encrypted"),
    [
        ("sslmode=disable", False),
        ("sslmode=require", True),
        ("sslmode=verify-ca&sslrootcert={own}", True),
        ("sslmode=verify-full&sslrootcert={own}", True),
    ],
)
async def test_the_mode_of_the_url_is_used(
    server: TlsPostgres, query: str, *, encrypted: bool
) -> None:
    url = server.url(query.format(own=server.certificate))
    assert await is_encrypted(url) is encrypted


async def test_a_role_signs_in_with_the_password_of_its_verifier(server: TlsPostgres) -> None:
    assert await is_encrypted(server.url("sslmode=require", f"payer:{PASSWORD}"))
    said, _ = await problems(server.url("sslmode=require", "payer:wrong"))
    assert "refuses user or password" in said


async def test_a_certificate_signs_a_client_in(server: TlsPostgres) -> None:
    files = f"sslmode=require&sslcert={server.certificate}&sslkey={server.key}"
    assert await is_encrypted(server.url(files, "localhost"))
    said, _ = await problems(server.url("sslmode=require", "localhost"))
    assert "does not admit this user" in said


@pytest.mark.parametrize(
    ("query", "host", "cause"),
    [
        ("sslmode=verify-full&sslrootcert={own}", "127.0.0.1", "IP address mismatch"),
        ("sslmode=verify-full&sslrootcert={other}", "localhost", "self-signed certificate"),
        ("sslmode=verify-full&sslrootcert=system", "localhost", "self-signed certificate"),
        ("sslmode=require&sslrootcert=/nowhere/ca.crt", "localhost", "/nowhere/ca.crt cannot be"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_named(
    server: TlsPostgres, tmp_path: Path, query: str, host: str, cause: str
) -> None:
    other = tmp_path / "other.crt"
    write_pair(other, tmp_path / "other.key", "another")
    url = server.url(query.format(own=server.certificate, other=other), host=host)
    for said in await problems(url):
        assert cause in said
        assert "sslrootcert" in said


async def test_an_expired_certificate_is_named_and_a_new_one_needs_no_restart(
    server: TlsPostgres,
) -> None:
    url = server.url(f"sslmode=verify-full&sslrootcert={server.certificate}")
    engine = open_engine(settings(url))
    try:
        for lasts, fails in ((timedelta(days=-1), True), (timedelta(days=30), False)):
            await asyncio.to_thread(server.present, lasts)
            if fails:
                for said in await problems(url):
                    assert "certificate has expired" in said
            else:
                async with transaction_of(engine) as connection:
                    await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()
