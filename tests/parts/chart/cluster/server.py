"""Runs etcd and the API server on loopback, and sends objects to it."""

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.parts.chart.cluster.building import build_api_server, find_etcd
from tests.parts.ports import free_port

START_SECONDS: Final = 60


@dataclass(frozen=True)
class Reply:
    """The API server's answer to an object."""

    status: int
    message: str
    warnings: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the object was accepted without a warning."""
        return self.status < 300 and not self.warnings


@dataclass
class ApiServer:
    """A running API server."""

    port: int
    token: str = field(repr=False)
    _plurals: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    def apply(self, found: dict[str, Any], namespace: str | None = None) -> Reply:
        """Apply an object, with unknown and doubled fields refused."""
        path = f"{self._path(found, namespace)}/{found['metadata']['name']}"
        query = "fieldManager=chart&force=true&fieldValidation=Strict"
        return self._send("PATCH", f"{path}?{query}", found, "application/apply-patch+yaml")

    def try_create(self, found: dict[str, Any], namespace: str) -> Reply:
        """Check an object without storing it."""
        path = f"{self._path(found, namespace)}?dryRun=All&fieldValidation=Strict"
        return self._send("POST", path, found, "application/json")

    def knows(self, found: dict[str, Any]) -> bool:
        """Return whether the kind of an object is defined."""
        return self._plural(found) is not None

    def published(self, version: str) -> dict[str, Any]:
        """Return the schemas that it publishes for the kinds of a group's version."""
        path = f"/openapi/v3{_group(version)}"
        _, text, _ = self._ask("GET", path, None, "application/json")
        found: dict[str, Any] = json.loads(text)["components"]["schemas"]
        return found

    def ready(self) -> bool:
        """Return whether it answers."""
        try:
            status, _, _ = self._ask("GET", "/readyz", None, "application/json")
        except OSError:
            return False
        return status == 200

    def _path(self, found: dict[str, Any], namespace: str | None) -> str:
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{_group(found['apiVersion'])}{inside}/{self._plural(found)}"

    def _plural(self, found: dict[str, Any]) -> str | None:
        version, kind = found["apiVersion"], found["kind"]
        if (version, kind) not in self._plurals:
            status, text, _ = self._ask("GET", _group(version), None, "application/json")
            resources = json.loads(text)["resources"] if status == 200 else []
            for each in resources:
                if "/" not in each["name"]:
                    self._plurals[version, each["kind"]] = each["name"]
        return self._plurals.get((version, kind))

    def _send(self, method: str, path: str, found: dict[str, Any], content: str) -> Reply:
        status, text, warnings = self._ask(method, path, json.dumps(found).encode(), content)
        message = json.loads(text).get("message", "") if status >= 300 else ""
        return Reply(status, str(message), tuple(warnings))

    def _ask(
        self, method: str, path: str, body: bytes | None, content: str
    ) -> tuple[int, str, list[str]]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content}
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310 - https
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode(), answer.headers.get_all("Warning", [])
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers.get_all("Warning", [])


def _group(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


@contextmanager
def running_server() -> Iterator[ApiServer]:
    """Run an API server and its etcd, both with empty data."""
    program, etcd = build_api_server(), find_etcd()
    with TemporaryDirectory() as name:
        folder = Path(name)
        token = token_hex(16)
        (folder / "tokens.csv").write_text(f'{token},admin,1,"system:masters"\n')
        _write_key(folder / "key.pem")
        client, peer, port = free_port(), free_port(), free_port()
        running = []
        try:
            running.append(_start(folder, "etcd", [etcd, *_etcd_options(folder, client, peer)]))
            arguments = [str(program), *_options(folder, client, port)]
            running.append(_start(folder, "api", arguments))
            server = ApiServer(port, token)
            _wait(server, folder)
            yield server
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(30)


def _etcd_options(folder: Path, client: int, peer: int) -> list[str]:
    clients, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _options(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        f"--service-account-key-file={folder / 'key.pem'}",
        f"--service-account-signing-key-file={folder / 'key.pem'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        # It would wait for ServiceAccounts, which no controller makes here.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _start(folder: Path, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(arguments, stdout=log, stderr=log)


def _wait(server: ApiServer, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.ready():
        if time.monotonic() > until:
            raise TimeoutError((folder / "api.log").read_text()[-2000:])
        time.sleep(0.2)
