"""One large body: down from a server, or up to it; and what that takes."""
import os
import pathlib
import re
import socket
import threading
import time

from lab import cpu_with_children
from process import all_pids, exe

PIECE = 1 << 20
NAP = 0.02


class Peak(threading.Thread):
    """The most memory that the processes on the way have, together, above what they had: looked at now and then."""

    def __init__(self, pids, programs):
        super().__init__(daemon=True)
        self.pids, self.programs, self.peak, self.is_over = pids, set(map(str, programs)), 0, threading.Event()
        self.before = sum(map(resident, pids))
        self.start()

    def run(self):
        """Look."""
        while not self.is_over.wait(NAP):
            more = [pid for pid in all_pids() if exe(pid) in self.programs] if self.programs else []
            self.peak = max(self.peak, sum(map(resident, [*self.pids, *more])) - self.before)

    def end(self):
        """The peak in MiB."""
        self.is_over.set()
        self.join()
        return self.peak / 1024


def resident(pid):
    """The KiB of memory that a process has to itself, or shares with its like."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(number) for number in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", text, re.M))


def download(where, size):
    """Get a body of that size, and throw it away."""
    port, path = where
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(f"GET {path}?{size} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096) or die(f"{path}: no reply")
        left = size - len(head.partition(b"\r\n\r\n")[2])
        buffer = bytearray(PIECE)
        while left > 0:
            left -= sock.recv_into(buffer, PIECE, socket.MSG_TRUNC) or die(f"{path}: {left} bytes are missing")
    assert b" 200 " in head.partition(b"\r\n")[0], head


def upload(where, size, file):
    """Post a file of that size, and read the short reply."""
    port, path = where
    with socket.create_connection(("127.0.0.1", port)) as sock, open(file, "rb") as body:
        sock.sendall(f"POST {path}?5 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode())
        sent = 0
        while sent < size:
            sent += os.sendfile(sock.fileno(), body.fileno(), sent, size - sent)
        reply = b"".join(iter(lambda: sock.recv(4096), b""))
    assert b" 200 " in reply.partition(b"\r\n")[0], reply


def die(what):
    """A transfer that failed."""
    raise ConnectionError(what)


def measured(samples, name, size, pids, programs, move):
    """A transfer: MB/s, CPU s, memory."""
    before, peak, begin = cpu_with_children(pids), Peak(pids, programs), time.monotonic()
    try:
        move()
    except OSError as error:
        die(f"{name}: {error}")
    taken = time.monotonic() - begin
    samples.add(name, MB_per_s=size / taken / 1e6, peak_MiB=peak.end())
    time.sleep(0.1)  # until the CGI program is reaped and counts
    samples.add(name, CPU_s=cpu_with_children(pids) - before)
