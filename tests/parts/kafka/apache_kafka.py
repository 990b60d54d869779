"""A real Apache Kafka without Docker: KRaft nodes, their jars from Maven Central.

The node keeps its ports and its data from `start()` to `stop()`, so that a test may kill it,
freeze it or restart it under load and find what was acknowledged again.
"""

import base64
import logging
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.parts.folders import server_folder
from tests.parts.kafka.libraries import libraries
from tests.parts.kafka.prepared import Prepared, prepared
from tests.parts.leash import Leash
from tests.parts.ports import free_port

_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 30.0
_TAIL_LINES: Final = 30

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""

_SECOND: Final = {
    "process.roles": "broker",
    "node.id": "2",
    "listeners": "PLAINTEXT://127.0.0.1:{port}",
}
"""Properties of another broker of a cluster; the first one is its controller."""


class ApacheKafka:
    """One Kafka node, broker and controller, of the test's own: to be stopped, killed, frozen."""

    def __init__(
        self, properties: dict[str, str] | None = None, joins: "ApacheKafka | None" = None
    ) -> None:
        """Choose ports and a temporary folder; `properties` are added to the node's own.

        They may be changed while it does not run; `{port}` and `{controller}` in them are ports.
        A node that `joins` another one is a broker of its cluster, and no controller: the second
        one, or another with its own `node.id`.
        """
        self._directory = server_folder("kafka")
        # While the broker is away, no client's attempt to reach it can take its port.
        self._port, self._controller = free_port(), free_port()
        self.properties = properties or {}
        self._cluster = {"cluster_id": _uuid()}
        if joins is not None:
            self._controller = joins._controller  # noqa: SLF001 - of the same class
            self.properties = {**_SECOND, **self.properties}
            self._cluster = {**joins._cluster, "node_id": self.properties["node.id"]}  # noqa: SLF001
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: Leash | None = None
        self._formatted = False
        self._options: list[str] = []

    @property
    def bootstrap(self) -> str:
        """The address clients bootstrap from, the same for the node's whole life."""
        return f"127.0.0.1:{self._port}"

    @property
    def logs(self) -> Path:
        """Where the node keeps the logs of its partitions."""
        return self._directory / "data"

    @property
    def running(self) -> bool:
        """Whether the node's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the node and wait until a client can describe the cluster."""
        self._write_properties()
        if not self._formatted:
            self._format()
        with self._log_file.open("ab") as log:
            command = self._java("kafka.Kafka", str(self._server_properties))
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._leash = Leash(self._process.pid)
        self._await_answer(time.monotonic() + _START_SECONDS)
        return self.bootstrap

    def stop(self) -> None:
        """Shut down in order, and insist when that takes long. The data stays for a start()."""
        if self.running:
            self.resume()
            self._signal(signal.SIGTERM)
        self._reap(_STOP_SECONDS)

    def kill(self) -> None:
        """Kill the node at once, as a power cut would."""
        if self.running:
            self._signal(signal.SIGKILL)
        self._reap(_STOP_SECONDS)

    def restart(self) -> str:
        """Stop if running, and start on the same ports and data."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freeze the node: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen node go on."""
        self._signal(signal.SIGCONT)

    def destroy(self) -> None:
        """Kill the node and remove its data."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def tool(self, program: str, *arguments: str) -> None:
        """Run one of Kafka's own tools against the running node."""
        command = self._java(program, "--bootstrap-server", self.bootstrap, *arguments)
        subprocess.run(command, capture_output=True, text=True, check=True)

    def log_tail(self) -> str:
        """Return the last lines the node logged."""
        if not self._log_file.exists():
            return ""
        return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    @property
    def _log_file(self) -> Path:
        return self._directory / "kafka.log"

    @property
    def _server_properties(self) -> Path:
        return self._directory / "server.properties"

    def _write_properties(self) -> None:
        ports = {"port": self._port, "controller": self._controller}
        lines = _PROPERTIES.format(data=self.logs, **ports)
        for name, value in self.properties.items():
            for word, port in ports.items():
                value = value.replace(f"{{{word}}}", str(port))  # noqa: PLW2901 - bit by bit
            lines += f"{name}={value}\n"
        self._server_properties.write_text(lines)

    def _format(self) -> None:
        found = prepared(_prepare)
        found.copy_storage(self.logs, **self._cluster, directory_id=_uuid())
        self._options = found.options()
        self._formatted = True

    def format_anew(self) -> None:
        """Format the storage with Kafka's own tool, as `start` does with what it prepared."""
        self._write_properties()
        arguments = [f"--cluster-id={_uuid()}", f"--config={self._server_properties}"]
        command = self._java("kafka.tools.StorageTool", "format", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        self._formatted = True

    def archive_classes(self, archive: Path) -> None:
        """Make the next process of this node write its classes to `archive` when it stops."""
        self._options = [f"-XX:ArchiveClassesAtExit={archive}"]

    def _java(self, program: str, *arguments: str) -> list[str]:
        options = [
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.apache.logging.log4j.level=WARN",
        ]
        return ["java", *options, *self._options, "-cp", f"{libraries()}/*", program, *arguments]

    def _await_answer(self, deadline: float) -> None:
        while self.running and time.monotonic() < deadline:
            if _answers(self.bootstrap):
                return
            time.sleep(0.1)
        tail = self.log_tail()
        self.kill()
        message = f"Apache Kafka did not start; its log ends with:\n{tail}"
        raise RuntimeError(message)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _reap(self, seconds: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._leash is not None:
            self._leash.release()


def _prepare(made: Prepared) -> None:
    node = ApacheKafka()
    try:
        node.format_anew()
        shutil.copytree(node.logs, made.storage)
        node.archive_classes(made.classes)
        node.start()
        node.stop()
    finally:
        node.destroy()


def _uuid() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _answers(bootstrap: str) -> bool:
    quiet = logging.getLogger("tests.parts.kafka.quiet")
    quiet.disabled = True
    client = AdminClient({"bootstrap.servers": bootstrap}, logger=quiet)
    try:
        return bool(client.list_topics(timeout=2).brokers)
    except KafkaException:
        return False
