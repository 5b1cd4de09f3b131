#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""scenario_server.py LOG PORT=MANNER... - a server of turns, which writes down each turn and each connection

A turn is a line "BODY ANSWER\\n", two numbers, and BODY bytes; the answer is ANSWER bytes. MANNER is a JSON object, {} for a plain one:
    delay_ms       works so long on each answer
    factor, add    the answer is ANSWER * factor + add bytes
    chunk_ms       it comes in four pieces, so far apart
    greet_ms       it speaks first, after so long
    stop_ms        after its first turn it does not read for so long, with a small buffer
    turns          it closes after so many
    websocket      turns are messages of a WebSocket (lab/websocket.py), and every so many milliseconds it says something unasked; 0: never

LOG gets lines of JSON. "at" and "reads" are seconds of CLOCK_MONOTONIC, the same on all hosts of a lab:
    {"port", "client", "turn", "bytes", "crc", "at"}           a turn whose body is complete
    {"port", "client", "turns", "bytes", "digest", "end"}      a connection: all its bytes; end is "fin", "rst", "closed" or "open"
"ready" is written to stdout once all ports are listened to.
"""

import contextlib
import hashlib
import json
import signal
import socket
import sys
import threading
import time
import zlib

import websocket

STOPPED_BUFFER = 65536
CHUNKS = 4
PUSH = websocket.frame(websocket.TEXT, b"news " * 200)


class Connection:
    def __init__(self, server, sock, peer, manner):
        self.server, self.sock, self.manner = server, sock, manner
        self.port = sock.getsockname()[1]
        self.client = f"{peer[0].removeprefix('::ffff:')}:{peer[1]}"
        self.digest, self.bytes, self.turns = hashlib.sha256(), 0, 0
        self.ended, self.buffer = False, b""

    def receive(self):
        """More bytes into the buffer; False at the end."""
        data = self.sock.recv(1 << 20)
        with self.server.lock:
            self.digest.update(data)
            self.bytes += len(data)
        self.buffer += data
        return data != b""

    def next_turn(self):
        """(bytes of the body, its crc, bytes of the answer); None when the client has said its last."""
        while b"\n" not in self.buffer:
            if not self.receive():
                return None
        line, self.buffer = self.buffer.split(b"\n", 1)
        length, answer = map(int, line.split())
        crc, left = 0, length
        while True:
            part, self.buffer = self.buffer[:left], self.buffer[left:]
            crc, left = zlib.crc32(part, crc), left - len(part)
            if left == 0:
                return length, crc, answer
            if not self.receive():
                return None

    def answer(self, length):
        time.sleep(self.manner.get("delay_ms", 0) / 1000)
        data = b"a" * int(length * self.manner.get("factor", 1) + self.manner.get("add", 0))
        pause = self.manner.get("chunk_ms", 0) / 1000
        if not pause:
            self.sock.sendall(data)
            return
        size = -(-len(data) // CHUNKS)
        for i in range(0, len(data), size):
            self.sock.sendall(data[i:i + size])
            time.sleep(pause)

    def push(self, pause):
        with contextlib.suppress(OSError):
            while not self.ended:
                time.sleep(pause)
                self.sock.sendall(PUSH)

    def next_message(self):
        """Opcode and payload; None when the client has said its last."""
        while (taken := websocket.take_frame(self.buffer)) is None:
            if not self.receive():
                return None
        opcode, payload, self.buffer = taken
        return opcode, payload

    def serve_websocket(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.receive():
                return "fin"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        key = next(row.split(b": ")[1] for row in head.split(b"\r\n") if row.startswith(b"Sec-WebSocket-Key: "))
        self.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                          + websocket.accept_value(key) + b"\r\n\r\n")
        if self.manner["websocket"]:
            threading.Thread(target=self.push, args=(self.manner["websocket"] / 1000,), daemon=True).start()
        while (message := self.next_message()) is not None:
            opcode, payload = message
            if opcode == websocket.CLOSE:
                self.sock.sendall(websocket.frame(websocket.CLOSE, b""))
                continue
            self.note_turn(len(payload), zlib.crc32(payload))
            self.sock.sendall(websocket.frame(websocket.TEXT, b"a" * int(payload.split()[0])))
        return "fin"

    def note_turn(self, length, crc):
        self.turns += 1
        self.server.write({"port": self.port, "client": self.client, "turn": self.turns, "bytes": length, "crc": crc,
                           "at": time.monotonic()})

    def serve(self):
        if "websocket" in self.manner:
            return self.serve_websocket()
        if "greet_ms" in self.manner:
            time.sleep(self.manner["greet_ms"] / 1000)
            self.sock.sendall(b"220 ready\r\n")
        while True:
            turn = self.next_turn()
            if turn is None:
                return "fin"
            length, crc, answer = turn
            self.note_turn(length, crc)
            self.answer(answer)
            if self.turns == self.manner.get("turns"):
                return "closed"
            if self.turns == 1:
                time.sleep(self.manner.get("stop_ms", 0) / 1000)

    def run(self):
        try:
            end = self.serve()
        except OSError:
            end = "rst"
        except ValueError:
            end = "garbled"
        self.end(end)
        self.sock.close()

    def end(self, how):
        with self.server.lock:
            row = {"port": self.port, "client": self.client, "turns": self.turns, "bytes": self.bytes, "digest": self.digest.hexdigest(),
                   "end": how}
            self.ended = True
        self.server.write(row)


class Server:
    def __init__(self, log, ports):
        self.log, self.lock, self.connections = open(log, "w", encoding="ascii", buffering=1), threading.Lock(), []
        for port, manner in ports.items():
            listener = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
            if "stop_ms" in manner:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STOPPED_BUFFER)
            threading.Thread(target=self.accept, args=(listener, manner), daemon=True).start()

    def accept(self, listener, manner):
        while True:
            sock, peer = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            c = Connection(self, sock, peer, manner)
            self.connections.append(c)
            threading.Thread(target=c.run, daemon=True).start()

    def write(self, row):
        text = json.dumps(row) + "\n"
        with self.lock:
            self.log.write(text)


def main():
    # the threads inherit it: only sigwait() below sees the signal
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server = Server(sys.argv[1], {int(port): json.loads(manner) for port, manner in (arg.split("=", 1) for arg in sys.argv[2:])})
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    for c in list(server.connections):
        if not c.ended:
            c.end("open")


if __name__ == "__main__":
    main()
