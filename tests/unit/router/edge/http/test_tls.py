"""A certificate is replaced while connections are open, as a pair or not at all."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from router.edge.http.tls import ServerCertificate
from router.errors import ConfigurationError
from tests.parts.edge.certificates import organization_of, write_pair

_PATIENCE_SECONDS = 20.0


def _pair(
    directory: Path, organization: str, lasts: timedelta = timedelta(days=30)
) -> tuple[Path, Path]:
    pair = directory / f"{organization}.crt", directory / f"{organization}.key"
    write_pair(*pair, organization, lasts)
    return pair


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def _served(certificate: ServerCertificate) -> AsyncIterator[int]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0, ssl=certificate.context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _open(
    port: int, server_name: str | None = "localhost"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(_PATIENCE_SECONDS):
        # An empty name: a client that sends no server name.
        return await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=server_name or ""
        )


def _shown(writer: asyncio.StreamWriter) -> str:
    return organization_of(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))


async def _asked(port: int, server_name: str | None = "localhost") -> str:
    _, writer = await _open(port, server_name)
    shown = _shown(writer)
    writer.close()
    return shown


async def test_new_handshakes_get_the_new_certificate_and_open_connections_continue(
    tmp_path: Path,
) -> None:
    certificate = ServerCertificate(*_pair(tmp_path, "old"))

    async with _served(certificate) as port:
        reader, writer = await _open(port)
        before = _shown(writer)
        certificate.reload(*_pair(tmp_path, "new"))
        named, unnamed = await _asked(port), await _asked(port, None)
        writer.write(b"still there\n")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await reader.readline()
        writer.close()

    assert (before, named, unnamed) == ("old", "new", "new")
    assert answer == b"still there\n"


@pytest.mark.parametrize("how", ["of another pair", "expired", "missing", "damaged", "half"])
async def test_a_pair_that_cannot_be_used_leaves_the_one_in_use(tmp_path: Path, how: str) -> None:
    certificate = ServerCertificate(*_pair(tmp_path, "old"))
    expires = certificate.expires
    new = _pair(tmp_path, "new", timedelta(days=-1) if how == "expired" else timedelta(days=1))
    if how == "of another pair":
        new = new[0], _pair(tmp_path, "third")[1]
    elif how == "missing":
        new[1].unlink()
    elif how == "damaged":
        new[0].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    elif how == "half":
        new[0].write_text(new[0].read_text()[:200])

    async with _served(certificate) as port:
        with pytest.raises(ConfigurationError, match=r"^edge\.tls_certificate"):
            certificate.reload(*new)
        shown = await _asked(port)

    assert shown == "old"
    assert certificate.expires == expires


def test_expiry_is_known(tmp_path: Path) -> None:
    certificate = ServerCertificate(*_pair(tmp_path, "old", timedelta(days=3)))
    before = certificate.expires
    certificate.reload(*_pair(tmp_path, "new", timedelta(days=9)))

    assert timedelta(days=5) < certificate.expires - before < timedelta(days=7)
