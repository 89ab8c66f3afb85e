"""Gunicorn's worker of threads, in which no thread waits for a client.

Gunicorn's own threads read requests and send answers, so a few clients who send theirs byte by byte, or do not take
what they asked for, would have them all. Here a thread is given to a request only when the whole of it has come, and is
free again when the answer is made; what waits on a client waits beside a thousand others, at no cost but its bytes. So
slow clients delay nobody, with or without a reverse proxy in front.
"""

import contextlib
import errno
import selectors
import socket
import time
from collections import OrderedDict
from concurrent.futures import Future
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from serving.answer import ANSWER_SECONDS, Answer
from serving.request import Coming

#: From the first moment a client may send until its whole request has come, in seconds.
REQUEST_SECONDS = 30.0
#: A client that was told "Connection: close" has so long to close first, so that it gets all of its answer.
LEAVING_SECONDS = 2.0
#: A worker told to stop waits no longer for the rest of a request.
STOPPING_SECONDS = 2.0
#: What a worker holds for all clients together; beyond it those who have been waited for longest are given up.
HELD_BYTES = 32 * 1024 * 1024
#: Read at once.
PIECE_BYTES = 64 * 1024

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class WaitingRoomWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's worker of threads, in which only whole requests take one. All but the threads' own work is done by the
    worker's main thread, so nothing here is locked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coming: OrderedDict[TConn, Coming] = OrderedDict()
        # Since when they are waited for, by the monotonic clock; those waited for longest come first.
        self._answers: OrderedDict[TConn, float] = OrderedDict()
        self._leaving: OrderedDict[TConn, float] = OrderedDict()
        self._held = 0

    def accept(self, listener: Any) -> None:
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            if not self._give_up_oldest():
                time.sleep(0.05)  # not a hundred thousand times a second

    def enqueue_req(self, conn: TConn) -> None:
        """A connection on which a request begins, or has begun."""
        conn.is_abandoned, conn.answer = False, None
        if self.cfg.is_ssl:
            super().enqueue_req(conn)  # what comes can be read by its thread alone
            return
        coming = Coming(time.monotonic())
        if conn.parser is not None:
            coming.data += conn.parser.unreader.take_buffered()
        self._coming[conn] = coming
        self._held += len(coming.data)
        self._make_room(but=conn)
        conn.sock.setblocking(False)
        if coming.is_whole():
            self._serve(conn)
            return
        # Mostly all of it is there.
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
        self._receive(conn, conn.sock)

    def _receive(self, conn: TConn, _socket: Any) -> None:
        coming = self._coming.get(conn)
        if coming is None:
            return  # given up a moment ago
        try:
            data = conn.sock.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
            return
        coming.data += data
        self._held += len(data)
        if coming.is_whole():
            self.poller.unregister(conn.sock)
            self._serve(conn)
        elif coming.is_too_long:
            self._drop(conn, _TOO_LONG)
        else:
            if coming.expects_word:
                coming.expects_word = False
                with contextlib.suppress(OSError):
                    conn.sock.send(_GO_ON)
            self._hold_less()

    def _serve(self, conn: TConn) -> None:
        coming = self._forget(conn)
        if conn.parser is None:
            conn.parser = http.get_parser(self.cfg, conn.sock, conn.client)
            conn.initialized = True
        # What it sends beyond what is refused would be waited for by a thread.
        conn.is_abandoned = coming.is_too_large
        conn.parser.unreader.unread(bytes(coming.data))
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        if self.cfg.is_ssl:
            return super().handle_request(req, conn)
        own = conn.sock
        own.setblocking(False)
        conn.sock = conn.answer = Answer(own)
        try:
            return super().handle_request(req, conn) and not conn.is_abandoned
        except TimeoutError:
            # It does not take its answer. The connection is closed by this, without a word in the log.
            raise StopIteration from None
        finally:
            conn.sock = own

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        if conn.answer is not None and conn.answer.rest:
            self._held += len(conn.answer.rest)
            self._answers[conn] = time.monotonic()
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._send_on, conn, fs))
            self._hold_less()
            self._make_room()
        elif not fs.cancelled() and (fs.exception() is not None or fs.result()):
            super().finish_request(conn, fs)
        else:
            self._begin_to_leave(conn)

    def _send_on(self, conn: TConn, fs: "Future[Any]", _socket: Any) -> None:
        if conn not in self._answers:
            return
        try:
            count = conn.answer.send_on()
        except OSError:
            self._drop(conn)
            return
        self._held -= count
        self._answers[conn] = time.monotonic()
        self._answers.move_to_end(conn)
        if not conn.answer.rest:
            del self._answers[conn]
            self._unregister(conn)
            self.finish_request(conn, fs)

    def _begin_to_leave(self, conn: TConn) -> None:
        # Gunicorn would wait for the client's own close here, and nothing else would be done meanwhile.
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._see_off, conn))
        except (OSError, ValueError, KeyError):
            self._close(conn)
        else:
            self._leaving[conn] = time.monotonic()
            self._make_room()

    def _see_off(self, conn: TConn, _socket: Any) -> None:
        if conn not in self._leaving:
            return
        with contextlib.suppress(OSError):
            if conn.sock.recv(PIECE_BYTES):
                return
        self._drop(conn)

    def murder_pending(self) -> None:
        """Called about once a second, also while the worker stops."""
        super().murder_pending()
        now = time.monotonic()
        patience = REQUEST_SECONDS if self.alive else STOPPING_SECONDS
        while self._coming and now - next(iter(self._coming.values())).since > patience:
            self._give_up_oldest()
        for waiting, limit in ((self._answers, ANSWER_SECONDS), (self._leaving, LEAVING_SECONDS)):
            while waiting and now - next(iter(waiting.values())) > limit:
                self._drop(next(iter(waiting)))

    def _make_room(self, but: TConn | None = None) -> None:
        """Room for the next one: who has been waited for longest is the least likely to be in earnest."""
        while self.nr_conns >= self.worker_connections and self._give_up_oldest(but):
            pass

    def _hold_less(self) -> None:
        while self._held > HELD_BYTES and self._give_up_oldest():
            pass

    def _give_up_oldest(self, but: TConn | None = None) -> bool:
        """Close the connection that has been waited for longest; False where none is waited for."""
        first = [
            *islice(self._answers.items(), 1),
            *islice(self._leaving.items(), 1),
            *((conn, coming.since) for conn, coming in islice(self._coming.items(), 1) if conn is not but),
        ]
        if not first:
            return False
        conn, _ = min(first, key=itemgetter(1))
        self._drop(conn, _TOO_LATE if conn in self._coming and self._coming[conn].data else b"")
        return True

    def _drop(self, conn: TConn, words: bytes = b"") -> None:
        if conn in self._coming:
            self._forget(conn)
        if self._answers.pop(conn, None) is not None:
            self._held -= len(conn.answer.rest)
        self._leaving.pop(conn, None)
        self._unregister(conn)
        if words:
            with contextlib.suppress(OSError):
                conn.sock.send(words)
        self._close(conn)

    def _forget(self, conn: TConn) -> Coming:
        coming = self._coming.pop(conn)
        self._held -= len(coming.data)
        return coming

    def _unregister(self, conn: TConn) -> None:
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
