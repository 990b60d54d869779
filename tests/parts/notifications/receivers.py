"""Real receivers on the loopback interface: a webhook with scripted answers, and a mail server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

HANG = 0
"""An answer that never comes."""


@dataclass(frozen=True)
class Request:
    """A request a webhook received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.headers["idempotency-key"]

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Hook:
    """A webhook receiver that answers with `statuses` in order, then with 200."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its Apprise URL."""
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of all requests, in order."""
        return [request.key for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = head[0].split(" ")
            self.requests.append(Request(method, target, headers, body))
            self.arrived.set()
            status = self.statuses.pop(0) if self.statuses else 200
            if status == HANG:
                await self.closed.wait()
                return
            more = "Location: /elsewhere\r\n" if status == 302 else ""
            answer = f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def hook(*statuses: int) -> AsyncIterator[Hook]:
    """Run a webhook receiver during the block."""
    receiver = Hook(statuses=list(statuses))
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)  # noqa: SLF001
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.closed.set()
        server.close()


@dataclass(frozen=True)
class Mail:
    """A received mail: the envelope's recipients, and the contents."""

    sender: str
    recipients: list[str]
    message: EmailMessage


@dataclass
class PostOffice:
    """A mail server that stores mails, or answers every recipient with `refuse`."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    refuse: str | None = None

    @property
    def url(self) -> str:
        """Its Apprise URL, without a recipient."""
        return f"mailto://127.0.0.1:{self.port}?from=shop@example.com"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: Any,  # noqa: ANN401
    ) -> str:
        """Accept or refuse a recipient."""
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store a mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        read = message_from_bytes(content, policy=policy.default)
        self.mails.append(Mail(envelope.mail_from or "", list(envelope.rcpt_tos), read))
        return "250 OK"


@contextlib.asynccontextmanager
async def post_office(refuse: str | None = None) -> AsyncIterator[PostOffice]:
    """Run a mail server during the block."""
    office = PostOffice(refuse=refuse)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(office, hostname="localhost", loop=loop), "127.0.0.1", 0
    )
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
