"""The load generator, before a small server in a thread."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.benchmarks.running.generator import Order, WrongAnswerError, is_whole, percentile, run

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
_REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
_SIZE = 8


@dataclass
class _Answering:
    """A server that reads requests of eight bytes and answers each with the same bytes."""

    answer: bytes
    port: int = 0
    got: list[bytes] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := connection.recv(_SIZE, socket.MSG_WAITALL):
                self.got.append(request)
                # In two pieces, as some servers send head and body.
                connection.sendall(self.answer[:20])
                connection.sendall(self.answer[20:])


@contextlib.contextmanager
def _serving(answer: bytes) -> Iterator[_Answering]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Answering(answer, listener.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _requests(count: int) -> list[bytes]:
    return [b"%08d" % number for number in range(count)]


def test_every_request_is_sent_once_at_a_rate() -> None:
    requests = _requests(40)
    with _serving(_OK) as server:
        load = run(Order(server.port, "", 3, 0.0, rate=4000.0), requests)
    assert sorted(server.got) == requests
    assert load.answered == 40


def test_requests_are_sent_again_and_again_without_a_rate() -> None:
    with _serving(_OK) as server:
        load = run(Order(server.port, "", 2, 0.2), _requests(3))
    assert load.answered == len(server.got) > 3
    assert set(server.got) == set(_requests(3))


def test_an_answer_other_than_200_ends_the_load() -> None:
    with _serving(_REFUSED) as server, pytest.raises(WrongAnswerError, match="503"):
        run(Order(server.port, "", 1, 0.2), _requests(1))


def test_latency_at_a_rate_counts_from_when_a_request_was_due() -> None:
    with _serving(_OK) as server:
        load = run(Order(server.port, "", 1, 0.0, rate=1e9), _requests(50))
    # All are due at once, and one connection answers one after the other.
    assert load.p50 > 0.2 * load.seconds * 1e6


def test_no_part_of_an_answer_is_whole() -> None:
    assert [length for length in range(len(_OK)) if is_whole(_OK[:length])] == []


def test_answer_is_whole_with_its_last_byte() -> None:
    assert is_whole(_OK)


def test_answer_without_a_length_is_refused() -> None:
    with pytest.raises(WrongAnswerError):
        is_whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentile_is_a_value_that_occurred(share: float, expected: int) -> None:
    assert percentile(range(1, 101), share) == expected
