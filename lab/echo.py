# SPDX-License-Identifier: BSD-2-Clause
"""echo.py - a server on a host that answers with what it hears, and keeps it"""

import contextlib
import socket
import threading


class Echo(threading.Thread):
    """Listens on a port until close(); .heard is what came, one entry for each time something could be read."""

    def __init__(self, host, port):
        super().__init__(daemon=True)
        self.heard = []
        self.listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("", port))
        self.listener.listen(50)
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self.listener.accept()[0],), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(4096):
                self.heard.append(data)
                connection.sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
