"""Every way by which a secret enters a process is watched, and what it prints is copied."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CHILD = ROOT / "tests" / "parts" / "secrecy" / "child"
KEY = ROOT / "tests" / "samples" / "tls" / "key.pem"
CERTIFICATE = ROOT / "tests" / "samples" / "tls" / "certificate.pem"

# What is secret is put together in the process, so that its command line holds none.
PROGRAM = f"""
import asyncio, pathlib, ssl, sys
from consumers.notifications.options import NotificationOptions
from consumers.notifications.sending.apprise_channel import AppriseChannel
from router.evaluation.data_dir import DataDir
from router.broker.client import TokenFile
from router.providers import EndpointContext, Example, Key
from router.configuration.settings import load_settings
from router.telemetry.logs import configure_logging, get_log

def secret(name):
    return "-".join(("of", name, "Jw81x"))

here = pathlib.Path(".")
Key(secret("key").encode(), "a")
EndpointContext("shop", None, token=secret("token"), keys=())
Example(signing_key=secret("example").encode())
(here / "signing-shop.pem").write_text(secret("signing"))
DataDir(here).signing_key("shop")
(here / "token").write_text(secret("sasl-token"))
asyncio.run(TokenFile(here / "token").token())
AppriseChannel("json://host/" + secret("channel"))
channel = {{"url": "json://host/" + secret("option")}}
NotificationOptions.model_validate({{"channels": {{"ops": channel}}}})
load_settings(None, {{
    "PAYROUTER_KAFKA__SASL_PASSWORD": secret("sasl"),
    "PAYROUTER_ENDPOINTS__SHOP__PROVIDER": "blockatm",
    "PAYROUTER_ENDPOINTS__SHOP__SECRETS": secret("hmac"),
}})
ssl.create_default_context().load_cert_chain({str(CERTIFICATE)!r}, keyfile={str(KEY)!r})
configure_logging("info", "json")
get_log("test").info("in the log")
print("on standard output", flush=True)
sys.stderr.write("on standard error")
"""


def test_every_way_by_which_a_secret_enters_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = os.pathsep.join((str(CHILD), str(ROOT)))
    environ = {**os.environ, "SECRECY_FOLDER": str(folder), "PYTHONPATH": paths}
    command = [sys.executable, "-P", "-c", PROGRAM]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "on standard output\n")
    assert '"in the log"' in ran.stderr
    assert ran.stderr.endswith("\non standard error")
    (file,) = folder.glob("*.secrets")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    noted = {(entry["kind"], bytes.fromhex(entry["value"]).decode()) for entry in entries}
    assert noted >= {
        ("HMAC secret", "of-key-Jw81x"),
        ("URL token", "of-token-Jw81x"),
        ("private key", "of-example-Jw81x"),
        ("private key", "of-signing-Jw81x"),
        ("private key", KEY.read_text()),
        ("SASL token", "of-sasl-token-Jw81x"),
        ("channel URL", "json://host/of-channel-Jw81x"),
        ("NotificationOptions.channels.ops.url", "json://host/of-option-Jw81x"),
        ("Settings.kafka.sasl_password", "of-sasl-Jw81x"),
        ("Settings.endpoints.shop.secrets", "of-hmac-Jw81x"),
        ("SecretStr", "of-sasl-Jw81x"),
    }
    printed = {path.name.split(".")[1]: path.read_text() for path in folder.glob("*.printed")}
    assert printed == {"stdout": ran.stdout, "stderr": ran.stderr}
