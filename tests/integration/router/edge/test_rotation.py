"""Secrets, endpoints and certificates are replaced in a running edge, under load."""

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.providers._signing import unix_ms_text
from tests.parts.brokers import Broker
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.certificates import organization_of, write_pair
from tests.parts.edge.edge_server import make_topics
from tests.parts.edge.living_edge import Mount, living_edge
from tests.parts.edge.raw_http import connected, exchange, request
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import eventually

_NOWHERE = "127.0.0.1:1"


def _secret(number: int) -> str:
    return f"sck_rotating-{number}-0123456789"


def _configuration(
    mount: Mount, bootstrap: str = _NOWHERE, prefix: str = "", edge: str = "", more: str = ""
) -> str:
    return f"""
[endpoints.shop]
provider = "blockatm"
secret_files = ["{mount.file("current")}", "{mount.file("next")}"]
deadline_seconds = 20
{more}
[edge]
{edge}
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
prefix = "{prefix}"
replication_factor = 1
min_insync_replicas = 1
"""


def _request(secret: str, path: str = "/webhooks/shop") -> bytes:
    sent = webhook(body_of(PAYMENT), time=unix_ms_text(datetime.now(UTC)), secret=secret.encode())
    return request(path, sent.headers, sent.body)


@dataclass
class _Load:
    """Gateways that deliver without a pause, with the current secret."""

    port: int
    secret: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def going(self, senders: int = 4) -> AsyncIterator[None]:
        """Deliver while the block runs."""
        over = asyncio.Event()
        tasks = [asyncio.create_task(self._deliver(over)) for _ in range(senders)]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*tasks)

    async def _deliver(self, over: asyncio.Event) -> None:
        while not over.is_set():
            secret = self.secret
            status = (await exchange(self.port, _request(secret))).status
            self.answers[secret, status] += 1
            await asyncio.sleep(0)

    async def more(self, count: int = 20) -> None:
        """Wait for this many answers to deliveries signed with the current secret."""
        wanted = self._answered() + count
        await eventually(lambda: self._answered() >= wanted, f"{count} answers", pause=0.02)

    def _answered(self) -> int:
        return sum(n for (secret, _), n in self.answers.items() if secret == self.secret)


@pytest.mark.parametrize("signal", [True, False], ids=["on SIGHUP", "by looking"])
async def test_no_genuine_delivery_is_refused_while_secrets_rotate_under_load(
    broker: Broker,
    topics_prefix: str,
    tmp_path: Path,
    signal: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    rounds = 5
    mount = Mount(tmp_path / "mount")
    mount.put({"current": _secret(0), "next": _secret(0)})
    await make_topics(broker.bootstrap, topics_prefix)
    whole = _configuration(mount, broker.bootstrap, topics_prefix)

    async with living_edge(tmp_path, whole) as edge:
        await edge.until_answered(200, "/readyz")
        load = _Load(edge.port, _secret(0))
        async with load.going():
            await load.more()
            for number in range(1, rounds + 1):
                applied = await edge.metric(
                    "payrouter_configuration_reloads_total", result="applied"
                )
                mount.put({"current": _secret(number - 1), "next": f"\ufeff{_secret(number)}\r\n"})
                if signal:
                    edge.hang_up()
                await edge.until_reloads("applied", int(applied or 0) + 1)
                load.secret = _secret(number)
                await load.more()
        refused = (await exchange(edge.port, _request(_secret(0)))).status

    assert {status for _, status in load.answers} == {200}, load.answers
    assert {secret for secret, _ in load.answers} == {_secret(n) for n in range(rounds + 1)}
    assert refused == 401
    assert not [line for line in edge.lines if "sck_" in line]


@pytest.mark.parametrize("how", ["configuration", "syntax", "secret", "missing", "certificate"])
async def test_invalid_configuration_is_refused_as_a_whole_and_the_old_one_stays(
    broker: Broker, topics_prefix: str, tmp_path: Path, how: str
) -> None:
    mount = Mount(tmp_path / "mount")
    good: dict[str, str | bytes] = {"current": _secret(0), "next": _secret(1)}
    mount.put(good)
    await make_topics(broker.bootstrap, topics_prefix)
    whole = _configuration(mount, broker.bootstrap, topics_prefix)
    other = f'[endpoints.other]\nprovider = "blockatm"\nsecrets = ["{_secret(7)}"]'
    wrong = {
        "configuration": whole.replace("deadline_seconds = 20", "deadline_secnds = 20\n" + other),
        "syntax": whole + f'x = "{_secret(7)}',
        "certificate": whole.replace(
            "[edge]\n", f'{other}\n[edge]\ntls_certificate = "/missing"\ntls_key = "/missing"\n'
        ),
    }

    async with living_edge(tmp_path, whole) as edge:
        await edge.until_answered(200, "/readyz")
        load = _Load(edge.port, _secret(0))
        async with load.going(2):
            if how in wrong:
                edge.write(wrong[how])
            elif how == "secret":
                mount.put({**good, "next": f"{_secret(7)} and more"})
            else:
                mount.file("next").unlink()
            await edge.until_reloads("refused", 1)
            succeeded = await edge.metric("payrouter_configuration_last_reload_successful")
            await load.more()
            other_status = (
                await exchange(edge.port, _request(_secret(7), "/webhooks/other"))
            ).status
            edge.write(whole)
            if how == "missing":
                mount.file("next").symlink_to("..data/next")
            mount.put(good)
            await edge.until_reloads("applied", 1)
            again = await edge.metric("payrouter_configuration_last_reload_successful")
            await load.more()

    assert (succeeded, again) == (0, 1)
    assert {status for _, status in load.answers} == {200}, load.answers
    assert other_status == 404
    (line,) = edge.log("configuration_refused")
    assert line["level"] == "error"
    assert line["detail"]
    assert not [line for line in edge.lines if "sck_" in line]


async def test_endpoints_are_added_removed_and_changed_and_keys_needing_a_restart_are_named(
    tmp_path: Path,
) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put({"current": _secret(0), "next": _secret(1)})
    token = "a-token-0123456789abcdef"
    other = f'[endpoints.other]\nprovider = "resmic"\nsecrets = ["{_secret(2)}"]\ntoken = "{token}"'

    async with living_edge(tmp_path, _configuration(mount)) as edge:
        await edge.until_answered(503, "/readyz")
        before = (await exchange(edge.port, request(f"/webhooks/other/{token}"))).status
        edge.write(_configuration(mount, "127.0.0.1:2", edge="max_in_flight = 5", more=other))
        await edge.until_reloads("applied", 1)
        added = (await exchange(edge.port, request(f"/webhooks/other/{token}"))).status
        awaiting = await edge.metric("payrouter_configuration_keys_awaiting_restart")
        edge.write(_configuration(mount, more='allow_from = ["192.0.2.0/24"]'))
        await edge.until_reloads("applied", 2)
        removed = (await exchange(edge.port, request(f"/webhooks/other/{token}"))).status
        shut = (await exchange(edge.port, _request(_secret(0)))).status
        awaited = await edge.metric("payrouter_configuration_keys_awaiting_restart")
        series = await edge.metric(
            "payrouter_last_genuine_delivery_timestamp_seconds", endpoint="other"
        )

    # 401: the endpoint is there, and the request has no signature.
    assert (before, added, removed, shut) == (404, 401, 404, 403)
    assert (awaiting, awaited, series) == (2, 0, None)
    first, second = edge.log("configuration_applied")
    assert first["endpoints"] == ["other", "shop"]
    assert first["needs_restart"] == ["edge.max_in_flight", "kafka.bootstrap_servers"]
    assert (second["endpoints"], second["needs_restart"]) == (["shop"], [])


async def test_the_level_of_the_log_is_changed_for_loggers_in_use(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put({"current": _secret(0), "next": _secret(0)})
    whole = _configuration(mount)
    forged = _request("sck_another")

    async with living_edge(tmp_path, whole) as edge:
        await edge.until_answered(503, "/readyz")
        counts = []
        for number, level in enumerate(("warning", "info"), 1):
            assert (await exchange(edge.port, forged)).status == 401
            edge.write(f'{whole}[log]\nlevel = "{level}"\n')
            await edge.until_reloads("applied", number)
            assert (await exchange(edge.port, forged)).status == 401
            counts.append(len(edge.log("delivery")))

    # One line before each change, and one after the change to `info`; others are below `warning`.
    assert (counts[0], len(edge.log("delivery"))) == (1, 2)


async def test_open_delivery_is_finished_with_its_original_endpoint(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put({"current": _secret(0), "next": _secret(0)})
    await make_topics(broker.bootstrap, topics_prefix)
    whole = _configuration(mount, broker.bootstrap, topics_prefix)
    whole_request = _request(_secret(0))

    async with living_edge(tmp_path, whole) as edge:
        await edge.until_answered(200, "/readyz")
        async with connected(edge.port) as line:
            await line.send(whole_request[:-10])
            # First its secrets are replaced, then the endpoint is removed.
            mount.put({"current": _secret(1), "next": _secret(1)})
            await edge.until_reloads("applied", 1)
            edge.write(whole.replace("[endpoints.shop]", "[endpoints.other]"))
            await edge.until_reloads("applied", 2)
            await line.send(whole_request[-10:])
            answer = await line.answer()
        gone = (await exchange(edge.port, whole_request)).status

    assert (answer.status, gone) == (200, 404)
    assert not [line for line in edge.lines if "Traceback" in line]


async def test_a_certificate_is_replaced_under_load(
    broker: Broker, topics_prefix: str, tmp_path: Path
) -> None:
    mount = Mount(tmp_path / "mount")
    await make_topics(broker.bootstrap, topics_prefix)
    pairs = {name: _pair(tmp_path, name) for name in ("old", "new")}
    secrets = {"current": _secret(0), "next": _secret(1)}
    mount.put({**secrets, **pairs["old"]})
    tls = f'tls_certificate = "{mount.file("tls.crt")}"\ntls_key = "{mount.file("tls.key")}"'
    shown: list[str] = []
    statuses: list[int] = []

    async def deliver(over: asyncio.Event) -> None:
        while not over.is_set():
            async with connected(edge.port, _trusting()) as line:
                peer = line.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                # Now, since a later connection may be answered sooner.
                shown.append(organization_of(peer))
                await line.send(_request(_secret(0)))
                statuses.append((await line.answer()).status)

    whole = _configuration(mount, broker.bootstrap, topics_prefix, edge=tls)
    async with living_edge(tmp_path, whole) as edge:
        await edge.until_answered(200, "/readyz")
        expires = await edge.metric("payrouter_tls_certificate_expiry_timestamp_seconds")
        over = asyncio.Event()
        senders = [asyncio.create_task(deliver(over)) for _ in range(2)]
        await eventually(lambda: statuses, "a delivery before the rotation")
        mount.put({**secrets, **pairs["old"], "tls.key": pairs["new"]["tls.key"]})
        await edge.until_reloads("refused", 1)
        mount.put({**secrets, **pairs["new"]})
        await edge.until_reloads("applied", 1)
        await eventually(lambda: shown[-1] == "new", "a delivery after the rotation")
        over.set()
        await asyncio.gather(*senders)
        expires_then = await edge.metric("payrouter_tls_certificate_expiry_timestamp_seconds")

    assert set(statuses) == {200}
    assert shown == sorted(shown, reverse=True)
    assert set(shown) == {"old", "new"}
    assert expires is not None
    assert expires_then is not None
    assert expires_then > expires > datetime.now(UTC).timestamp()


def _pair(directory: Path, name: str) -> dict[str, bytes]:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    write_pair(certificate, key, name, timedelta(days=30 if name == "old" else 60))
    return {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
