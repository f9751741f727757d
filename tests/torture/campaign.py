"""What the campaigns share: an httpd with an app whose server can be killed in many ways, and visitors."""
import argparse
import ctypes
import multiprocessing
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.dont_write_bytecode = True

from app import App
from httpd import FLAVOURS, MODULE, Httpd, give, is_sanitized, modules_folder
from process import all_pids, alive, exe, kill, read, running, stat, wait_until

PROGRAM = os.path.abspath(os.environ.get("LAZYSCGI", "cgi/lazyscgi"))
LIMITS = {
    "event": "StartServers 2\nServerLimit 2\nThreadsPerChild 32\nMaxRequestWorkers 64\nMinSpareThreads 1\nMaxSpareThreads 64",
    "prefork": "StartServers 24\nServerLimit 24\nMaxRequestWorkers 24\nMinSpareServers 1\nMaxSpareServers 25",
}
EXTRA = """
<IfModule !env_module>
    LoadModule env_module "{modules}/mod_env.so"
</IfModule>
SetEnv TMPDIR "{root}/tmp"
MaxKeepAliveRequests 0
KeepAliveTimeout 60
"""


def leave(*_):
    """End, putting all away: once, for the signal may come from the reaper and from whoever has ended it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def under_reaper():
    """Go on as the child of a process that takes in orphans and reaps them at once: not every process 1 does."""
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, leave)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == child:
            sys.exit(os.waitstatus_to_exitcode(status) != 0)


def options(description):
    """The options of a campaign, which begins."""
    parser = argparse.ArgumentParser(description=description, epilog="LAZYSCGI and LAZYSCGI_MODULE name what is tested.")
    parser.add_argument("--long", action="store_true", help="the whole of it; else a short form")
    parser.add_argument("--short", action="store_true", help="the short form (the default)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of all that is random")
    parser.add_argument("flavours", nargs="*", help=f"of {', '.join(FLAVOURS)}; else all")
    chosen = parser.parse_args()
    chosen.flavours = chosen.flavours or list(FLAVOURS)
    for path in [PROGRAM] + [MODULE] * any(name.startswith("module") for name in chosen.flavours):
        if not os.path.exists(path):
            sys.exit(f"no '{path}' here: set LAZYSCGI and LAZYSCGI_MODULE")
    under_reaper()
    return chosen


class OurHttpd(Httpd):
    """One with a folder of its own for temporary files."""

    def environment(self):
        """httpd's environment."""
        return {**super().environment(), "TMPDIR": os.path.join(self.root, "tmp")}


class Place:
    """A private httpd of one flavour and an app in it; gone afterwards."""

    def __init__(self, flavour, limits=LIMITS, workers=3):
        self.count = workers
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="lazyscgi-torture-"))
        os.chmod(self.root, 0o755)
        self.httpd = OurHttpd(flavour, self.root, is_sanitized(MODULE if flavour.startswith("module") else PROGRAM),
                              EXTRA.format(modules=modules_folder(), root=self.root))
        self.httpd.limits = limits[self.httpd.mpm]
        give(self.httpd.make("tmp"))
        self.binary, self.server = os.path.join(self.root, "lazyscgi"), os.path.join(self.root, "workers")
        shutil.copy(PROGRAM, self.binary)
        os.chmod(self.binary, 0o755)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", self.server, os.path.join(HERE, "workers.c")], check=True)
        self.apps = []

    def app(self, name="app", **keys):
        """An app; if nothing else is said, of our server."""
        app = App(self.httpd, self.binary, "cgi-bin/" + name)
        keys.setdefault("start", None if "text" in keys else f"exec {self.server} {app.folder} {self.count}")
        self.apps.append(app.write(**keys))
        return app

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if hasattr(self.httpd, "process"):
            self.httpd.process.terminate()
            self.httpd.process.wait()
        for app in self.apps:
            kill(app.pids())
        kill(running(self.root))
        shutil.rmtree(self.root)


def group(leader, program):
    """The live processes of a group that run this program: the number may be another group's by now, which is not ours to kill."""
    return [pid for pid in all_pids() if stat(pid)[2:3] == [b"%d" % leader] and exe(pid) == program and alive(pid)]


class Broken(Exception):
    """The connection ended before a reply, or in the middle of one."""


class Visitor:
    """Sends requests over a connection that it keeps."""

    def __init__(self, port):
        self.port, self.sock, self.file = port, None, None

    def leave(self):
        """Hang up."""
        if self.sock:
            self.file.close()
            self.sock.close()
        self.sock = None

    def send(self, method, path, body=b"", chunked=False, promised=None):
        """Send a request; `promised` is the length that its head names, if not the body's."""
        if not self.sock:
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.file = self.sock.makefile("rb")
        if chunked:
            length, body = "Transfer-Encoding: chunked", (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        else:
            length = f"Content-Length: {promised or len(body)}"
        self.sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode() + body)

    def head(self):
        """Read a reply's head: its status, and its header lines in small letters."""
        line, lines = self.file.readline(), {}
        if not line.endswith(b"\n"):
            raise Broken
        while (field := self.file.readline()) != b"\r\n":
            if not field.endswith(b"\n"):
                raise Broken
            name, _, value = field.decode("latin-1").partition(":")
            lines[name.lower()] = value.strip().lower()
        return int(line.split()[1]), lines

    def read(self, size):
        """Read so many bytes."""
        data = self.file.read(size)
        if len(data) < size:
            raise Broken
        return data

    def body(self, lines):
        """Read a reply's body."""
        if "content-length" in lines:
            return self.read(int(lines["content-length"]))
        if lines.get("transfer-encoding") != "chunked":
            return self.file.read()
        pieces = []
        while size := int(self.file.readline() or b"-1", 16):
            if size < 0:
                raise Broken
            pieces.append(self.read(size + 2)[:-2])
        self.read(2)
        return b"".join(pieces)

    def ask(self, *args, **kwargs):
        """Send a request and give the reply's status and body; status 0 if it broke before the head, -1 after."""
        status = 0
        try:
            self.send(*args, **kwargs)
            status, lines = self.head()
            body = self.body(lines)
            if lines.get("connection") == "close":
                self.leave()
            return status, body
        except (Broken, OSError):
            self.leave()
            return (-1 if status else 0), b""


class Crowd:
    """Visitors, each a process that does `visit(its number, a seed, *arguments)`."""

    def __init__(self, count, visit, chance, *arguments):
        self.queue = multiprocessing.Queue()
        self.visitors = [multiprocessing.Process(target=self.run, daemon=True, args=(visit, number, chance.random(), *arguments))
                         for number in range(count)]
        for visitor in self.visitors:
            visitor.start()

    def run(self, visit, *arguments):
        """In the process of one."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.queue.put(visit(*arguments))

    def check(self):
        """Fail if one has failed."""
        assert not any(visitor.exitcode for visitor in self.visitors), "a visitor has failed"

    def results(self):
        """What each has returned, when all have."""
        found = []
        while len(found) < len(self.visitors):
            try:
                found.append(self.queue.get(timeout=1))
            except queue.Empty:
                self.check()
        return found


class Verdicts:
    """Says what holds and what does not."""

    def __init__(self):
        self.failed = False

    def __call__(self, good, what):
        print(f"{'ok' if good else 'FAILED'} - {what}", flush=True)
        self.failed = self.failed or not good


def table(title, names, rows):
    """Print rows of (label, values) under column names."""
    width = max(len(label) for label, _ in rows)
    columns = [max(len(name), *(len(str(values[index])) for _, values in rows)) for index, name in enumerate(names)]
    print(f"\n{title}\n  {'':{width}}  " + "  ".join(f"{name:>{size}}" for name, size in zip(names, columns)))
    for label, values in rows:
        print(f"  {label:{width}}  " + "  ".join(f"{value!s:>{size}}" for value, size in zip(values, columns)))
    print(flush=True)
