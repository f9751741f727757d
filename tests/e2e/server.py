"""A SCGI server that misbehaves on demand; the first part of PATH_INFO names the behaviour.

Usage: server.py FOLDER [gate] [strict] [exit=STATUS] [backlog=N] [always=BEHAVIOUR]
It appends its pid to FOLDER/starts at every start and what it sees to FOLDER/notes.
"""
import hashlib
import itertools
import json
import os
import socket
import struct
import sys
import threading
import time
from urllib.parse import parse_qs

BLOCK = bytes(range(251)) * 261


def blocks(size):
    """Yield `size` bytes of a known pattern."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def digest(size):
    """The sha256 of `size` bytes of the pattern."""
    total = hashlib.sha256()
    for block in blocks(size):
        total.update(block)
    return total.hexdigest()


class Folder:
    """The files through which the server and the tests speak."""

    def __init__(self, path):
        self.path = path

    def append(self, name, line):
        """Append one line with a single write."""
        with open(os.path.join(self.path, name), "a") as file:
            file.write(line + "\n")

    def lines(self, name):
        """The lines of a file, none if there is no file."""
        try:
            with open(os.path.join(self.path, name)) as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def wait(self, name):
        """Wait until a file exists."""
        while not os.path.exists(os.path.join(self.path, name)):
            time.sleep(0.01)


class Request:
    """One SCGI request and the connection it came by."""

    def __init__(self, sock, server):
        self.sock, self.server = sock, server
        self.file = sock.makefile("rb")
        self.vars = self.read_head()
        self.query = parse_qs(self.vars.get("QUERY_STRING", ""), keep_blank_values=True, encoding="latin-1")
        self.left = int(self.vars["CONTENT_LENGTH"])
        self.name = (self.vars.get("PATH_INFO", "") + "/vars").split("/")[1]

    def read_head(self):
        """Read the netstring of variables."""
        size = self.file.read(1)
        while not size.endswith(b":"):
            size += self.file.read(1) or b"closed:"
        head = self.file.read(int(size[:-1]) + 1)
        if not head.endswith(b","):
            raise ValueError("no comma")
        words = head[:-2].decode("latin-1").split("\0")
        self.first = words[0]
        return dict(zip(words[::2], words[1::2]))

    def option(self, name, default):
        """A number from the query."""
        return int(self.query.get(name, [default])[0])

    def body(self):
        """Yield the body as it comes."""
        while self.left > 0:
            block = self.file.read1(min(self.left, 1 << 16))
            if not block:
                raise EOFError
            self.left -= len(block)
            yield block

    def attempt(self):
        """How often this very request came to this process."""
        key = (self.vars["REQUEST_METHOD"], self.vars["PATH_INFO"], self.vars["QUERY_STRING"])
        with self.server.guard:
            self.server.attempts[key] = self.server.attempts.get(key, 0) + 1
            return self.server.attempts[key]

    def send(self, data):
        """Send bytes or text at once."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def reply(self, body="", status="200 OK", kind="text/plain", extra=""):
        """Send a whole reply."""
        if not isinstance(body, (str, bytes)):
            body, kind = json.dumps(body), "application/json"
        self.send(f"Status: {status}\r\nContent-Type: {kind}\r\n{extra}\r\n")
        self.send(body)


def do_vars(request):
    """Answer with the variables, and with which came first."""
    request.reply({"vars": request.vars, "first": request.first, "pid": os.getpid()})


def do_echo(request):
    """Send the body back while it comes."""
    request.reply()
    for block in request.body():
        request.send(block)


def do_sink(request, body=None):
    """Read the body and answer with its length and checksum."""
    total, size = hashlib.sha256(), 0
    for block in body or request.body():
        total.update(block)
        size += len(block)
    request.reply({"size": size, "sha256": total.hexdigest(), "vars": request.vars})


def do_source(request):
    """Send n bytes of the pattern, and note it if `note` is given."""
    request.reply()
    for block in blocks(request.option("n", 0)):
        request.send(block)
    if "note" in request.query:
        request.server.folder.append("notes", "sent")


def do_sse(request):
    """Send an event each 100 ms until the file `end` appears."""
    request.reply(kind="text/event-stream")
    while "end" not in os.listdir(request.server.folder.path):
        request.send("data: tick\n\n")
        time.sleep(0.1)
    request.send("data: last\n\n")


def do_turns(request):
    """Send the head, then four lines, each once a file with its number has appeared."""
    request.reply(kind="text/event-stream")
    for number in "1234":
        request.server.folder.wait(number)
        request.send(f"data: {number}\n\n")


def do_early(request):
    """Refuse the body without reading it."""
    request.reply("too large", "413 Content Too Large")


def do_close(request):
    """Close without an answer the first `times` times, with the body read if `read` is given."""
    attempt = request.attempt()
    request.server.folder.append("notes", f"close {request.vars['REQUEST_METHOD']} {attempt}")
    if attempt > request.option("times", 1):
        do_sink(request)
    elif "read" in request.query:
        list(request.body())


def do_reset(request):
    """Reset the connection the first `times` times."""
    if request.attempt() > request.option("times", 1):
        return request.reply("at last")
    request.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def do_die(request):
    """Die before the answer, if this is the first start."""
    if request.server.ordinal == 1:
        os._exit(1)
    request.reply(str(request.server.ordinal))


def do_hang(request):
    """Never answer."""
    list(request.body())
    if not request.sock.recv(1):
        raise EOFError


def do_hang_first(request):
    """Never answer, if this is the first start."""
    if request.server.ordinal == 1:
        do_hang(request)
    request.reply(str(request.server.ordinal))


def do_close_first(request):
    """Close without an answer, if this is the first start."""
    if request.server.ordinal > 1:
        request.reply(str(request.server.ordinal))


def do_canned(request):
    """Send a reply just as it is written here."""
    request.send({
        "http": "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nX-Odd: yes\r\n\r\nmade",
        "garbage": "\1\2 this is no header\n\nnor this a body\n",
        "endless": "Content-Type: text/plain\r\n",
        "bare": "Status: 202 Accepted\nContent-Type: text/plain\nX-Odd: yes\n\nbare",
        "long": "Status: 200 OK\nX-Long: " + "y" * 9000 + "\nContent-Type: text/plain\n\nbody",
        "status": "X-Odd: yes\nStatus: 99\n\nbody",
        "garbage2": "no header\n\n",
        "silent": "Content-Type: text/plain\r\n\r\nfine",
    }[request.vars["PATH_INFO"].split("/")[2]])


def do_short(request):
    """Promise a million bytes, and stop after half of them."""
    request.send("Content-Type: text/plain\nContent-Length: 1000000\n\n")
    request.send(os.urandom(500_000))


def do_say(request):
    """Send what the query has as `reply`, once the body was read if `read` is given; reset if `reset` is."""
    if "read" in request.query:
        list(request.body())
    request.send(request.query["reply"][0])
    if "reset" in request.query:
        request.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


STEP = 0.05


def sips(request):
    """Yield the first bytes of the body, slowly."""
    for _ in range(min(10, request.left)):
        time.sleep(STEP)
        request.left -= 1
        yield request.file.read(1)


def do_sip(request):
    """Read the body a byte at a time, up to ten of them, then as sink does."""
    request.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    do_sink(request, itertools.chain(sips(request), request.body()))


def do_drip(request):
    """Send what the query has as `reply` a byte at a time."""
    for byte in request.query["reply"][0]:
        time.sleep(STEP)
        request.send(byte)


def do_file(request):
    """Send what the file `reply` holds."""
    with open(os.path.join(request.server.folder.path, "reply"), "rb") as file:
        request.send(file.read())


class Server:
    """Listens on $LAZYSCGI_SOCKET, one thread for each connection."""

    def __init__(self, folder, options):
        self.folder, self.options = Folder(folder), options
        self.attempts, self.guard = {}, threading.Lock()
        self.folder.append("starts", str(os.getpid()))
        self.ordinal = len(self.folder.lines("starts"))

    def bind(self, address):
        """A bound socket for any form of address."""
        if address.startswith("unix:"):
            address = address[5:]
        if address[0] in "/@":
            sock = socket.socket(socket.AF_UNIX)
            if address[0] == "/" and "strict" not in self.options and os.path.exists(address):
                os.unlink(address)
            sock.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
            return sock
        host, port = address.rsplit(":", 1)
        sock = socket.socket(socket.AF_INET6 if host[0] == "[" else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), int(port)))
        return sock

    def run(self):
        """Start as the options say, then serve for ever."""
        if "gate" in self.options:
            self.folder.wait("gate")
        if "exit" in self.options:
            sys.exit(int(self.options["exit"]))
        with self.bind(os.environ["LAZYSCGI_SOCKET"]) as listener:
            listener.listen(int(self.options.get("backlog", 512)))
            while True:
                threading.Thread(target=self.serve, args=[listener.accept()[0]], daemon=True).start()

    def serve(self, sock):
        """Serve one connection."""
        with sock:
            name = "?"
            try:
                request = Request(sock, self)
                name = self.options.get("always", request.name)
                globals()["do_" + name](request)
                request.file.close()
            except (OSError, EOFError, ValueError) as error:
                self.folder.append("notes", f"gone {name} {type(error).__name__}")


if __name__ == "__main__":
    Server(sys.argv[1], dict((word + "=").split("=")[:2] for word in sys.argv[2:])).run()
