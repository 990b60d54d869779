"""Two workers reload on SIGHUP under load: renewed certificate, rotated secret, no refusal."""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.brokers import Broker
from tests.parts.edge.certificates import organization_of, write_pair
from tests.parts.edge.edge_server import SECRET, make_topics
from tests.parts.edge.living_edge import Mount, living_edge
from tests.parts.edge.raw_http import connected
from tests.parts.edge.workers import configuration_text, delivery, published, workers_in_log
from tests.parts.waiting import eventually

ROUNDS = 2
SENDERS = 4


def secret(number: int) -> str:
    return f"sck_rotating-{number}-0123456789"


def trusting() -> ssl.SSLContext:
    # Without the system's authorities, which take long to load.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class Load:
    """Gateways that deliver over TLS without a pause, each delivery on a new connection."""

    port: int
    secret: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    certificates: Counter[str] = field(default_factory=Counter)
    sent: set[str] = field(default_factory=set)
    trust: ssl.SSLContext = field(default_factory=trusting)

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """Deliver while the block runs; a connection that fails fails the test."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as senders:
            for _ in range(SENDERS):
                senders.create_task(self._deliver(over))
            try:
                yield
            finally:
                over.set()

    async def _deliver(self, over: asyncio.Event) -> None:
        while not over.is_set():
            number = 1000 + len(self.sent)
            self.sent.add(f"A-{number}")
            signed_with = self.secret
            async with connected(self.port, self.trust) as line:
                shown = line.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                await line.send(delivery(number, signed_with))
                status = (await line.answer()).status
            self.answers[signed_with, status] += 1
            self.certificates[organization_of(shown)] += 1

    async def more(self, count: int = 30) -> None:
        """Wait for so many more answers to deliveries signed with the current secret."""
        wanted = self._answered() + count
        await eventually(lambda: self._answered() >= wanted, f"{count} answers", pause=0.02)

    def _answered(self) -> int:
        return sum(n for (signed_with, _), n in self.answers.items() if signed_with == self.secret)


def pair(folder: Path, number: int) -> dict[str, str | bytes]:
    certificate, key = folder / f"{number}.crt", folder / f"{number}.key"
    write_pair(certificate, key, f"certificate {number}")
    return {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}


async def test_two_workers_refuse_no_delivery_while_certificate_and_secret_are_replaced(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put({"current": secret(0), "next": secret(0), **pair(tmp_path, 0)})
    files = f'tls_certificate = "{mount.file("tls.crt")}"\ntls_key = "{mount.file("tls.key")}"'
    keys = f'secret_files = ["{mount.file("current")}", "{mount.file("next")}"]'
    text = configuration_text(broker.bootstrap, topics_prefix, edge=files)
    text = text.replace(f'secrets = ["{SECRET}"]', keys)
    await make_topics(broker.bootstrap, topics_prefix)

    async with living_edge(tmp_path, text) as edge:
        await edge.until_answered(200, "/readyz")
        load = Load(edge.port, secret(0))
        async with load.going():
            await load.more()
            for number in range(1, ROUNDS + 1):
                new = {"current": secret(number - 1), "next": secret(number)}
                mount.put({**new, **pair(tmp_path, number)})
                edge.hang_up()
                await edge.until_reloads("applied", number)
                load.secret = secret(number)
                await load.more()
                # Handshakes that began before the reload have ended.
                load.certificates.clear()
                await load.more()
                assert set(load.certificates) == {f"certificate {number}"}
        both = workers_in_log(edge)

    assert {status for _, status in load.answers} == {200}, load.answers
    assert {signed_with for signed_with, _ in load.answers} == set(map(secret, range(ROUNDS + 1)))
    assert len(both) == 2
    assert await published(broker.bootstrap, topics_prefix) == Counter(load.sent)
