"""Records the secrets and the output of this process in the folder of the run.

It is loaded at the start of every Python process the tests start, before our own code: it
needs only the standard library, imports nothing that coverage has to see first, and inspects a
module when that is imported.
"""

import functools
import importlib.machinery
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

URL_TOKEN: Final = "URL token"
PRIVATE_KEY: Final = "private key"


class Recorder:
    """Appends to files that only this process writes; loses nothing if the process is killed."""

    def __init__(self, folder: Path) -> None:
        """Write into an existing folder."""
        self._start = folder / f"{os.getpid()}-{time.monotonic_ns()}"
        self._known: set[tuple[str, str]] = set()
        self._open: dict[str, int] = {}

    def secret(self, kind: str, value: str | bytes) -> None:
        """Record a secret, once."""
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if (kind, text) not in self._known:
            self._known.add((kind, text))
            raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
            self._append("secrets", {"kind": kind, "value": raw.hex()})

    def said(self, stream: str, text: str, command: Sequence[str] = (), test: str = "") -> None:
        """Record output within this process, and who printed it."""
        if text:
            who = {"test": test or current_test(), "command": list(command), "stream": stream}
            self._append("said", {**who, "text": text})

    def stream(self, name: str) -> int:
        """Open a file for what this process prints, and return its descriptor."""
        who = {"test": current_test(), "command": command_line(), "stream": name}
        self._append(f"{name}.who", who)
        return _opened(self._start.with_name(f"{self._start.name}.{name}.printed"))

    def _append(self, what: str, entry: Mapping[str, object]) -> None:
        if what not in self._open:
            self._open[what] = _opened(self._start.with_name(f"{self._start.name}.{what}"))
        os.write(self._open[what], json.dumps(entry).encode() + b"\n")


def record_process(folder: Path) -> None:
    """Record this whole process: its secrets, standard output and standard error."""
    recorder = Recorder(folder)
    watch_secrets(recorder)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            copy = recorder.stream(name)
            copying = _copying(stream, copy)
            setattr(sys, name, copying)
            setattr(sys, f"__{name}__", copying)
            if name == "stderr":
                _copy_log(copy)


def _copy_log(copy: int) -> None:
    """Copy the log too, which goes past Python's streams."""

    def note(_self: object, text: str) -> None:
        os.write(copy, text.encode("utf-8", "surrogatepass"))

    def watch(output: ModuleType) -> None:
        for name in ("write", "later"):
            before(output.LogOutput, name, note)

    sys.meta_path.insert(0, _AfterImport({"router.telemetry.output": watch}))


def current_test() -> str:
    """Name the test that runs, here or in the process that started this one."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]


def command_line() -> list[str]:
    """Return how this process was called."""
    return list(sys.orig_argv)


class _CopyingFile(io.FileIO):
    """A descriptor that is written to, and a copy of what was."""

    copy: int

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - a buffer
        written = super().write(data)
        if written:
            os.write(self.copy, memoryview(data)[:written])
        return written


def _copying(stream: io.TextIOWrapper, copy: int) -> io.TextIOWrapper:
    raw = _CopyingFile(stream.fileno(), "wb", closefd=False)
    raw.copy = copy
    unbuffered = stream.write_through
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def watch_secrets(recorder: Recorder) -> None:
    """Note every secret where it enters, in modules imported already and in those to come."""
    watchers: dict[str, Callable[[ModuleType], None]] = {
        "pydantic.types": functools.partial(_watch_types, recorder),
        "pydantic.main": functools.partial(_watch_models, recorder),
        "router.providers": functools.partial(_watch_providers, recorder),
        "router.evaluation.data_dir": functools.partial(_watch_data_dir, recorder),
        "router.broker.client": functools.partial(_watch_kafka, recorder),
        "consumers.notifications.sending.apprise_channel": functools.partial(
            _watch_channels, recorder
        ),
        "ssl": functools.partial(_watch_tls, recorder),
    }
    for name in watchers.keys() & sys.modules.keys():
        watchers.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _AfterImport(watchers))


class _AfterImport:
    """Finds modules as Python does, and looks at some of them when they have been run."""

    def __init__(self, watchers: dict[str, Callable[[ModuleType], None]]) -> None:
        self._watchers = watchers

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._watchers:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute, watch = spec.loader.exec_module, self._watchers.pop(name)

        def execute_and_watch(module: ModuleType) -> None:
            execute(module)
            watch(module)

        spec.loader.exec_module = execute_and_watch  # type: ignore[method-assign]
        return spec


def _watch_types(recorder: Recorder, pydantic_types: ModuleType) -> None:
    def note(_self: object, value: object) -> None:
        if isinstance(value, str | bytes):
            recorder.secret("SecretStr", value)

    for secret in (pydantic_types.SecretStr, pydantic_types.SecretBytes):
        before(secret, "__init__", note)


def _watch_models(recorder: Recorder, pydantic_main: ModuleType) -> None:
    """Note which setting a secret is: its path in the model that was read."""
    validate = pydantic_main.BaseModel.model_validate.__func__
    holding: dict[type, bool] = {}

    @functools.wraps(validate)
    def model_validate(cls: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - pydantic's
        model = validate(cls, *args, **options)
        if cls not in holding:
            holding[cls] = "Secret" in repr(cls.__pydantic_core_schema__)
        if holding[cls]:
            for path, value in _secrets_within(model, cls.__name__):
                recorder.secret(path, value)
        return model

    pydantic_main.BaseModel.model_validate = classmethod(model_validate)


def _secrets_within(value: Any, path: str) -> Iterator[tuple[str, str | bytes]]:  # noqa: ANN401
    if hasattr(value, "get_secret_value"):
        yield path, value.get_secret_value()
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield from _secrets_within(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _secrets_within(each, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets_within(each, path)


def _watch_providers(recorder: Recorder, providers: ModuleType) -> None:
    def note_key(_self: object, secret: bytes, *_: object, **__: object) -> None:
        recorder.secret("HMAC secret", secret)

    def note_context(_self: object, **context: Any) -> None:  # noqa: ANN401 - its fields
        if context.get("token"):
            recorder.secret(URL_TOKEN, context["token"])

    before(providers.Key, "__init__", _by_name(providers.Key, note_key))
    before(providers.EndpointContext, "__init__", _by_name(providers.EndpointContext, note_context))
    before(providers.Example, "__init__", _by_name(providers.Example, _note_example(recorder)))


def _note_example(recorder: Recorder) -> Callable[..., None]:
    def note(_self: object, signing_key: bytes | None = None, **_: object) -> None:
        if signing_key:
            recorder.secret(PRIVATE_KEY, signing_key)

    return note


def _by_name(cls: Any, note: Callable[..., None]) -> Callable[..., None]:  # noqa: ANN401
    """Call `note` with a dataclass's arguments by their names."""
    names = list(cls.__dataclass_fields__)

    def noted(self: object, *args: object, **options: object) -> None:
        note(self, **dict(zip(names, args, strict=False)), **options)

    return noted


def _watch_data_dir(recorder: Recorder, data_dir: ModuleType) -> None:
    read = data_dir.DataDir.signing_key

    @functools.wraps(read)
    def signing_key(self: object, endpoint: str) -> Any:  # noqa: ANN401 - as it is
        key = read(self, endpoint)
        if key:
            recorder.secret(PRIVATE_KEY, key)
        return key

    data_dir.DataDir.signing_key = signing_key


def _watch_kafka(recorder: Recorder, kafka_client: ModuleType) -> None:
    def note(file: Any) -> None:  # noqa: ANN401 - a TokenFile
        recorder.secret("SASL token", file._path.read_text().strip())  # noqa: SLF001 - to see it

    before(kafka_client.TokenFile, "token", note)


def _watch_channels(recorder: Recorder, outside: ModuleType) -> None:
    def note(_self: object, url: str, **_: object) -> None:
        recorder.secret("channel URL", url)

    before(outside.AppriseChannel, "__init__", _by_name(outside.AppriseChannel, note))


def _watch_tls(recorder: Recorder, ssl: ModuleType) -> None:
    def note(_self: object, *files: Any, **options: Any) -> None:  # noqa: ANN401 - ssl's
        certfile, keyfile, password = (*files, *(None,) * 3)[:3]
        keyfile = options.get("keyfile", keyfile) or options.get("certfile", certfile)
        password = options.get("password", password)
        path = Path(os.fsdecode(keyfile))
        if path.is_file():
            recorder.secret(PRIVATE_KEY, path.read_bytes())
        if isinstance(password, str | bytes) and password:
            recorder.secret("password of a private key", password)

    before(ssl.SSLContext, "load_cert_chain", note)


def before(owner: type, name: str, note: Callable[..., None]) -> None:
    """Call `note` with the arguments of a method before every call of that method."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any arguments
        note(*args, **options)
        return original(*args, **options)

    setattr(owner, name, wrapped)
