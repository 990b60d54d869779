"""What `helm test` runs, as the chart runs it, against a real edge."""

import asyncio
import sys

from tests.parts.brokers import Broker
from tests.parts.chart.rendered import CHART, of_kind, pod_of, the
from tests.parts.edge.edge_server import ready_edge
from tests.parts.ports import free_port

EDGE = "--edge=http://payrouter-edge:80"
MANAGEMENT = "http://payrouter-edge-management:9080"


def test_job_asks_every_process() -> None:
    (container,) = pod_of(the("small", "Job", "test"))["containers"]
    services = of_kind("small", "Service")

    assert container["command"] == ["python", "/check/check.py"]
    assert container["args"][:2] == [EDGE, MANAGEMENT]
    asked = [argument.rpartition("//")[2].split(":") for argument in container["args"]]
    assert {name for name, _ in asked} == set(services)
    for name, port in asked:
        assert services[name]["spec"]["ports"][0]["port"] == int(port)


async def test_a_ready_edge_passes_and_one_that_is_away_does_not(
    broker: Broker, topics_prefix: str
) -> None:
    async with ready_edge(broker.bootstrap, topics_prefix) as edge:
        here = f"http://127.0.0.1:{edge.port}"
        ready = f"http://127.0.0.1:{edge.management_port}"
        status, out = await _check(f"--edge={here}", ready)
        assert status == 0, out
        assert "this-endpoint-does-not-exist answers 404" in out

        nobody = f"http://127.0.0.1:{free_port()}"
        status, out = await _check(ready, f"--edge={nobody}", nobody)

    assert status == 1
    assert [line.split()[0] for line in out.splitlines()] == ["ok", "FAIL", "FAIL"]


async def _check(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHART / "files" / "check.py"), *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()
