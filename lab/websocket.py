# SPDX-License-Identifier: BSD-2-Clause
"""websocket.py - the little of RFC 6455 that the lab needs: an opening handshake, text in one frame a message, closing; and a client"""

import base64
import hashlib
import os
import threading
import time

TEXT, CLOSE = 1, 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_value(key):
    """What a server answers to the key of a client (RFC 6455 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def frame(opcode, payload, masked=False):
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    mask = os.urandom(4) if masked else bytes(4)
    head = bytes([0x80 | opcode, length[0] | (0x80 if masked else 0)]) + length[1:]
    return head + (mask if masked else b"") + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def take_frame(buffer):
    """(opcode, payload, what is left of the buffer); None when there is no whole frame."""
    if len(buffer) < 2:
        return None
    masked, length, at = buffer[1] & 0x80, buffer[1] & 0x7F, 2
    if length == 126:
        length, at = int.from_bytes(buffer[2:4], "big"), 4
    mask = buffer[at:at + 4] if masked else bytes(4)
    at += 4 if masked else 0
    if len(buffer) < at + length:
        return None
    return buffer[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(buffer[at:at + length])), buffer[at + length:]


class Client(threading.Thread):
    """Shakes hands on a connected socket and says @count messages, one every @period seconds; .heard is how many came meanwhile.

    A message is "ANSWER " and random text: it wants an answer of so many bytes.
    """

    def __init__(self, sock, count, period, answer=300):
        super().__init__(daemon=True)
        self.sock, self.shape, self.heard, self.error = sock, (count, period, answer), 0, None
        self.start()

    def run(self):
        try:
            self._run()
        except OSError as e:
            self.error = str(e)

    def _run(self):
        count, period, answer = self.shape
        key = base64.b64encode(os.urandom(16))
        self.sock.sendall(b"GET /news HTTP/1.1\r\nHost: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
        head, buffer = b"", b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        head, buffer = head.split(b"\r\n\r\n", 1)
        if accept_value(key) not in head:
            raise ConnectionError(f"the server does not shake hands: {head}")
        listener = threading.Thread(target=self._listen, args=(buffer,), daemon=True)
        listener.start()
        begin = time.monotonic()
        for i in range(count):
            time.sleep(max(0.0, begin + i * period - time.monotonic()))
            self.sock.sendall(frame(TEXT, b"%d " % answer + os.urandom(100).hex().encode(), masked=True))
        time.sleep(period)
        self.sock.sendall(frame(CLOSE, b"", masked=True))
        listener.join(10)
        self.sock.close()

    def _receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the server has closed")
        return data

    def _listen(self, buffer):
        """Until the server's closing frame."""
        while True:
            taken = take_frame(buffer)
            if taken is None:
                buffer += self._receive()
                continue
            opcode, _, buffer = taken
            if opcode == CLOSE:
                return
            self.heard += 1
