"""One HTTP connection: uvicorn's protocol with the limits that uvicorn lacks.

uvicorn lets a head, chunk extensions and trailers grow without limit, reads trailers as headers,
and drops the body of a request that offers another protocol (`Upgrade: h2c`, as Java's client does
over plain HTTP), although a server declines an offer by ignoring it (Kludex/uvicorn, issue 2722).
"""

import asyncio
import contextlib
import time
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from router.edge.http.admission import Stage, Visit
from router.edge.http.answers import MALFORMED_ANSWERS, shed_answer
from router.edge.http.bounds import (
    NOT_HTTP,
    TOO_MANY_PIPELINED,
    Framing,
    MalformedRequest,
    NoMoreRequests,
    TimeLimit,
    check_head,
)
from router.edge.http.direct import DirectExchange, HeldRequest, is_plain
from router.edge.http.door import FIRST_BYTE, VISIT, Door
from router.edge.http.message_state import AFTER, ARRIVING, MessageChange, MessageState
from router.edge.http.request_head import RequestHead, head_of, without_offer


class DeliveryProtocol(HttpToolsProtocol):
    """One HTTP connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        door: Door,
        visit: Visit | None = None,
    ) -> None:
        """Share `door` with all other connections; `visit` is set if a TLS handshake preceded."""
        super().__init__(config, server_state, app_state)
        self._door = door
        self._bounds = door.bounds
        self._visit = visit or Visit("", self._give_way)
        # How long to wait for the other side to send; `_abort`: to read.
        self._limit = TimeLimit(self.loop, self._time_out)
        self._running: RequestResponseCycle | DirectExchange | None = None
        self._message, self._may_hold = MessageState.NONE, False
        self._held: HeldRequest | None = None
        self._framing, self._counts = Framing(), False
        # Bytes read after the last answer; None while requests are still read.
        self._lingered: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection and wait for the first head."""
        super().connection_made(transport)
        self._abort = TimeLimit(self.loop, transport.abort)
        if self._visit.admitted:
            self._visit.give_way = self._give_way
        else:
            self._visit = Visit(self.client[0] if self.client else "", self._give_way)
            self._door.admission.enter(self._visit)
        self._limit.set(self._bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection and end its request."""
        self._limit.end()
        self._abort.end()
        self._door.admission.leave(self._visit)
        # uvicorn does this for the newest request, which differs if requests are pipelined.
        self._disconnect_running()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse in small pieces, so that a limit is exceeded by one piece at most."""
        # One of each read: the limit of pipelined requests bounds the work for the others.
        self._may_hold = True
        for at in range(0, len(data), size := self._bounds.piece_bytes):
            if self.transport.is_closing():
                break
            if self._lingered is not None:
                self._discard(len(data) - at)
                break
            piece = data[at : at + size]
            while piece and self._lingered is None:
                piece = self._feed(piece)
        if self._lingered is None:
            self._end_read()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a whole request even if its sender has half-closed, which TLS does not allow."""
        if self._is_in_work() and self.scheme == "http":
            self._end_after_answer()
            return True
        self._abort.set(self._bounds.write_seconds)
        return False

    def on_message_begin(self) -> None:
        """Begin a head, unless a request before it in the same bytes ended the connection."""
        self._handle_whole()
        if self._lingered is not None or self.transport.is_closing():
            raise NoMoreRequests
        super().on_message_begin()
        self._change(MessageChange.BEGUN)
        self._framing = Framing()
        began = time.monotonic() - self._door.delay()
        self.scope["state"] |= {VISIT: self._visit, FIRST_BYTE: began}
        # Not at the first byte: line ends between requests keep no connection open.
        self._limit.stop()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. Trailers are dropped, since they are not checked."""
        if self._message is MessageState.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse the head, shed the request, hold it, or give it to the application."""
        self._framing.end_head()
        self._limit.stop()
        if self.parser.should_upgrade():
            self._change(MessageChange.GIVEN)
            return
        check_head(self.parser.get_http_version(), self.headers)
        began = self.scope["state"][FIRST_BYTE]
        head = head_of(self.parser.get_method(), self.url, self.headers, began, self._visit)
        if len(self.pipeline) >= self._bounds.pipelined:
            raise MalformedRequest(TOO_MANY_PIPELINED)
        shed = self._door.shed(self.url, began) if self._is_free() else None
        self._counts = shed is False
        if shed:
            self._change(MessageChange.SHED)
        elif not self._hold(head):
            self._change(MessageChange.GIVEN)
            super().on_headers_complete()
            if isinstance(self._running, DirectExchange):
                # uvicorn stops to read behind an open request until the application reads its body.
                self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        """Store a piece of the body, unless the request is shed."""
        self._framing.body += len(body)
        if self._message is MessageState.GIVEN:
            super().on_body(body)
        elif self._held is not None:
            self._held.body.append(body)

    def on_message_complete(self) -> None:
        """End a message."""
        before, self._framing.boundary = self._message, True
        self._change(MessageChange.COMPLETE)
        if before is MessageState.SHED:
            self._answer_shed_request()
        elif before is MessageState.GIVEN and not self.parser.should_upgrade():
            self._complete()

    def _complete(self) -> None:
        if self._counts:
            self._door.arrived()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for the other side to read its answers, within a time limit."""
        super().pause_writing()
        self._abort.set(self._bounds.write_seconds)

    def resume_writing(self) -> None:
        """Resume: the other side reads again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._abort.stop()

    def on_response_complete(self) -> None:
        """Prepare for the next request."""
        self._door.admission.release_bytes(self._visit)
        self._door.admission.attribute(self._visit, self._visit.home)
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._abort.set(self._bounds.write_seconds)
        else:
            # As uvicorn, but for its timer of each request.
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            elif self._message is MessageState.NONE:
                self._limit.set(self._bounds.idle_seconds)
        self._note_stage(answered=True)

    def shutdown(self) -> None:
        """Close after answering the open requests."""
        super().shutdown()
        if self.transport.is_closing():
            self._abort.set(self._bounds.write_seconds)

    def _end_read(self) -> None:
        """Decide about a message of which only a part has arrived."""
        if self._message is MessageState.HEAD and not self._limit.is_set:
            self._limit.set(self._bounds.head_seconds)
        elif self._message is MessageState.HELD:
            self._give_to_application()
        elif self._message is MessageState.SHED and not self.transport.is_closing():
            self._answer_shed_request()
        self._note_stage()

    def _change(self, change: MessageChange) -> None:
        self._message = AFTER[self._message][change]

    def _hold(self, head: RequestHead) -> bool:
        """Hold a plain request, or return False."""
        may = self._may_hold and self._is_free() and not self.flow.write_paused
        plain = is_plain(head, self.parser.get_http_version()) and self.parser.should_keep_alive()
        handle = self._door.hold(head) if may and plain else None
        if handle is not None:
            self._held, self._may_hold = HeldRequest(handle), False
            self._change(MessageChange.HELD)
        return handle is not None

    def _handle_whole(self) -> None:
        """Handle a held request that has arrived whole, without the application."""
        if self._message is MessageState.WHOLE and self.transport.is_closing():
            self._give_to_application()
        if self._message is not MessageState.WHOLE or self._held is None:
            return
        held, self._held = self._held, None
        self._change(MessageChange.HANDLED)
        exchange = self._running = DirectExchange(self.transport, self.on_response_complete)
        self.cycle = cast("RequestResponseCycle", exchange)
        held.handle(b"".join(held.body), exchange.answer)
        # One that waits for the broker has a place, and counts by that.
        if self._counts and exchange.response_complete:
            self._door.arrived()

    def _give_to_application(self) -> None:
        """Give a held request to the application, as far as it has arrived."""
        held, self._held = self._held, None
        whole = self._message is MessageState.WHOLE
        self._change(MessageChange.GIVEN)
        super().on_headers_complete()
        for piece in held.body if held is not None else ():
            super().on_body(piece)
        if whole:
            self._complete()
        if self.transport.is_closing():
            self._disconnect_running()

    def _is_free(self) -> bool:
        """Return whether no request of this connection is waiting for its answer."""
        return self.cycle is None or self.cycle.response_complete

    def _is_in_work(self) -> bool:
        """Return whether a request that has arrived whole is waiting for its answer."""
        return bool(self.pipeline) or not (self._is_free() or self.cycle.more_body)

    def _is_answered_early(self) -> bool:
        """Return whether a request has been answered while its body is still arriving."""
        running = self._running
        return running is not None and running.response_started and not running.response_complete

    def _note_stage(self, *, answered: bool = False) -> None:
        """Derive the stage of the current request, for the budget of unverified requests."""
        if self.transport.is_closing():
            return
        # A new connection counts as arriving, even before the first byte of its request.
        stage = Stage.SPARE if self.cycle is not None else Stage.ARRIVING
        if self._is_in_work():
            proved = self._visit.stage is Stage.PROVED and not answered
            stage = Stage.PROVED if proved else Stage.WHOLE
        elif self._message in ARRIVING and not self._is_answered_early():
            stage = Stage.ARRIVING
        self._door.admission.move(self._visit, stage)

    def _feed(self, piece: bytes) -> bytes:
        """Parse; return the bytes to parse again if the request offered another protocol."""
        self._framing.begin_piece()
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            return self._without_offer(piece[offer.args[0] :])
        except httptools.HttpParserCallbackError as problem:
            if isinstance(problem.__context__, MalformedRequest):
                self._refuse(problem.__context__)
            elif not isinstance(problem.__context__, NoMoreRequests):
                # A bug of the edge, not of the sender: the loop logs it and resets the connection.
                raise
        except httptools.HttpParserError:
            self._refuse(MalformedRequest(NOT_HTTP))
        else:
            self._count(len(piece))
            self._handle_whole()
        return b""

    def _count(self, size: int) -> None:
        """Count the bytes of a parsed piece."""
        if self._message in ARRIVING:
            self._framing.end_piece(size)
        self._door.admission.grow(self._visit, size)
        problem = self._framing.problem(self._bounds, in_head=self._message is MessageState.HEAD)
        if problem is not None:
            self._refuse(problem)

    def _without_offer(self, rest: bytes) -> bytes:
        """Return the request and what follows it without the offer of another protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(MalformedRequest(NOT_HTTP))
            return b""
        head = without_offer(method, self.url, self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        return head + rest

    def _answer_shed_request(self) -> None:
        """Answer 503; keep the connection open if the whole request has arrived."""
        closes = self._message in ARRIVING or not self.parser.should_keep_alive()
        answer = shed_answer(self.parser.get_method(), closes=closes)
        if self.flow.write_paused:
            # The sender does not read its answers, and nothing else limits how many are buffered.
            self.transport.abort()
            return
        self.transport.write(answer)
        if closes:
            self._linger()
        else:
            self._door.admission.release_bytes(self._visit)
            self._limit.set(self._bounds.idle_seconds)

    def _refuse(self, problem: MalformedRequest) -> None:
        """Answer a malformed request and close; requests before it still get their answers."""
        self._handle_whole()
        if self.transport.is_closing():
            return
        self._door.observer.malformed(self._visit.source, problem.reason)
        if self._is_in_work():
            self._end_after_answer()
            return
        if not self._is_answered_early():
            self.transport.write(MALFORMED_ANSWERS[problem.status])
        self._disconnect_running()
        self._linger()

    def _end_after_answer(self) -> None:
        """Stop reading; close after the answers to the requests that have arrived."""
        (self.pipeline[0][0] if self.pipeline else self.cycle).keep_alive = False
        self._lingered = 0
        self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect_running(self) -> None:
        """End the request that is being handled."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _linger(self) -> None:
        """Read a little more, so that a reset does not discard the answer, then close."""
        self._lingered, self._held = 0, None
        self._change(MessageChange.ENDED)
        self._door.admission.move(self._visit, Stage.SPARE)
        self._limit.set(self._bounds.linger_seconds)
        if self.transport.can_write_eof():
            # asyncio raises if the other side has reset the connection.
            with contextlib.suppress(OSError):
                self.transport.write_eof()

    def _discard(self, size: int) -> None:
        self._lingered = (self._lingered or 0) + size
        if self._is_in_work():
            self.flow.pause_reading()
        elif self._lingered > self._bounds.linger_bytes:
            self._close()

    def _give_way(self) -> None:
        """Close because the budget is full, with an answer only if a request was arriving."""
        if self.transport.is_closing():
            self.transport.abort()
            return
        waits = self._message is not MessageState.NONE or not self._is_free()
        if waits and self._lingered is None and not self._is_answered_early():
            self.transport.write(shed_answer(self.parser.get_method(), closes=True))
        self._disconnect_running()
        self.transport.close()
        # It no longer counts, so it may hold its descriptor only until the answer is written.
        self._abort.set(self._bounds.give_way_seconds)

    def _time_out(self) -> None:
        end = self._end_after_answer if self._is_in_work() else self._close
        end()

    def _close(self) -> None:
        """Close once the other side has read everything, or after `write_seconds`."""
        self.transport.close()
        self._abort.set(self._bounds.write_seconds)
