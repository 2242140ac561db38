"""A network camera for tests: a real HTTP server on loopback that sends JPEGs one after another, and can be cut."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from ecgedge.paper.page import Pixels


class MjpegServer:
    """Sends what `scene` gives, by the number of the frame since the start, at a rate.

    Parameters
    ----------
    port : 0 for any free one
    """

    def __init__(self, scene: Callable[[int], Pixels], *, rate_hz: float = 10.0, port: int = 0) -> None:
        self.sent = 0
        self._scene, self._wait_s = scene, 1 / rate_hz
        self._cut = threading.Event()
        self._sockets: list[socket.socket] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._sockets.append(self.connection)
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                outer._stream(self.wfile.write)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/stream.mjpg"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _stream(self, write: Callable[[bytes], object]) -> None:
        while not self._cut.wait(self._wait_s):
            made, content = cv2.imencode(".jpg", self._scene(self.sent), [cv2.IMWRITE_JPEG_QUALITY, 90])
            assert made
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            try:
                write(head.encode() + content.tobytes() + b"\r\n")
            except OSError:
                return  # the other side went away
            self.sent += 1

    def cut(self) -> None:
        """As when the cable is pulled and the router says so: streams end, and nobody answers."""
        self._cut.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone already
