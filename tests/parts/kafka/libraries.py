"""What one Apache Kafka node needs of this machine: Java, and jars from Maven Central."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[3]
POM: Final = Path(__file__).with_name("pom.xml")
MINIMUM_JAVA: Final = 17


class KafkaUnavailableError(Exception):
    """No Apache Kafka can be run on this machine, and why."""


def kafka_version() -> str:
    """Return the version of Apache Kafka the pom names."""
    (version,) = re.findall(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text())
    return str(version)


def libraries() -> Path:
    """Return the folder of Kafka's jars, filled from Maven Central the first time."""
    _require_java()
    folder = REPOSITORY / ".kafka" / f"libs-{kafka_version()}"
    if not folder.is_dir():
        _download(folder)
    return folder


def _require_java() -> None:
    java = shutil.which("java")
    if java is None:
        message = "no java"
        raise KafkaUnavailableError(message)
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', shown.stderr)
    if version is None or int(version[1]) < MINIMUM_JAVA:
        message = f"java is older than {MINIMUM_JAVA}"
        raise KafkaUnavailableError(message)


def _download(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = "no mvn to bring the jars"
        raise KafkaUnavailableError(message)
    folder.parent.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="download-", dir=folder.parent))
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
    command = [maven, "-q", "-B", "-f", str(POM), *goal, "-DincludeScope=runtime"]
    brought = subprocess.run(command, capture_output=True, text=True, check=False)
    if brought.returncode == 0 and not folder.exists():
        unfinished.rename(folder)
        return
    shutil.rmtree(unfinished)
    if not folder.exists():
        reason = re.findall(r"\[ERROR\] (.+)", brought.stdout + brought.stderr)
        message = f"mvn could not bring the jars: {reason[0] if reason else 'no reason given'}"
        raise KafkaUnavailableError(message)
