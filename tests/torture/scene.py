"""One app in a folder of its own, its requests, and what must be true after each of them."""
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.dont_write_bytecode = True

from answer import Answer, Fault, Report
from process import alive, all_pids, kill, wait_until, with_variable

OTHERS = 3  # requests at once, to see how they fare
KEPT = {"lock", "state", "log", "sock", "wait", "silence"}
ROOT = os.geteuid() == 0


def owner(pid):
    """The user of a process, -1 if it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return -1


def delete(path):
    """Remove whatever is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        os.chmod(path, 0o700)
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


class Scene:
    """The app, run as a user of its own when we are root."""

    def __init__(self, tools, name, options="", **keys):
        self.tools = tools
        self.user = tools.next_user() if ROOT else None
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix=f"{name}-", dir=tools.folder))
        self.tmp = os.path.join(self.folder, "tmp")
        os.mkdir(self.tmp)
        self.file = os.path.join(self.folder, "app.cgi")
        self.keys = keys
        self.write(options)
        for path in (self.folder, self.tmp):
            self.give(path)

    def give(self, path):
        """Hand a path to the app's user."""
        if ROOT:
            os.lchown(path, self.user, self.user)
        return path

    def write(self, options=""):
        """Write the app file."""
        keys = {"start": f"exec {self.tools.server} {self.folder} {options}", **self.keys}
        with open(self.file, "w") as file:
            file.write(f"#!{self.tools.program}\n" + "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in keys.items()))
        os.chmod(self.give(self.file), 0o755)
        return self

    def touch(self):
        """Touch the app file."""
        before = os.stat(self.file).st_mtime_ns
        os.utime(self.file, ns=(before, before + 1_000_000))

    @property
    def state_folder(self):
        """The state folder."""
        return os.path.join(self.folder, self.keys.get("state_dir", ".lazyscgi-" + os.uname().nodename))

    def path(self, kind):
        """A file in the state folder."""
        return os.path.join(self.state_folder, kind if kind == ".htaccess" else "app.cgi." + kind)

    def environment(self, path, body, chunked):
        """The environment of a CGI request."""
        variables = {"GATEWAY_INTERFACE": "CGI/1.1", "SCRIPT_FILENAME": self.file, "SCRIPT_NAME": "/app.cgi", "PATH_INFO": path,
                     "QUERY_STRING": "", "REQUEST_METHOD": "GET" if body is None else "POST", "SERVER_PROTOCOL": "HTTP/1.1",
                     "PATH": "/usr/bin:/bin", "TMPDIR": self.tmp}
        if chunked:
            variables["HTTP_TRANSFER_ENCODING"] = "chunked"
        elif body is not None:
            variables["CONTENT_LENGTH"] = str(len(body))
        return variables

    def begin(self, path="/", body=None, chunked=False, prefix=(), limits=None, fds=()):
        """Begin a request; `prefix` is a command that runs the program."""
        process = subprocess.Popen(
            [*prefix, self.tools.program, self.file], env=self.environment(path, body, chunked), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL if body is None else subprocess.PIPE, cwd=self.folder,
            user=self.user, group=self.user, extra_groups=[] if ROOT else None, preexec_fn=limits, pass_fds=fds)
        process.sent = body
        return process

    def finish(self, process, timeout=60):
        """The answer to a request that was begun."""
        try:
            return Answer(*process.communicate(process.sent, timeout))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Fault(f"no end of a request within {timeout} s") from None

    def ask(self, count=1, path="/", body=None, chunked=False, **more):
        """So many requests at once; their answers."""
        begun = [self.begin(path, body, chunked, **more) for _ in range(count)]
        return [self.finish(process).check(self.file) for process in begun]

    def step(self, action="trace", role="-", call="-", nth=0, value=0, path="/", body=None, chunked=False, while_held=None):
        """A request run by step.c: its answer, and step's report."""
        reads, writes = os.pipe()
        held, release = os.pipe()
        what = map(str, (writes, held, action, role, call, nth, value))
        process = self.begin(path, body, chunked, prefix=[self.tools.step, *what], fds=(writes, held))
        os.close(writes)
        os.close(held)
        with open(reads) as file:
            lines = []
            reader = threading.Thread(target=self.read_report, args=(file, lines, while_held, release))
            reader.start()
            answer = self.finish(process)
            reader.join()
        os.close(release)
        if process.returncode != 0:
            raise Fault(f"step.c ended with {process.returncode}: {answer.log}")
        return answer, Report("".join(lines))

    @staticmethod
    def read_report(file, lines, while_held, release):
        """Read step's report; let it go on after a hit."""
        for line in file:
            lines.append(line)
            if line.startswith("hit ") and while_held:
                try:
                    while_held()
                finally:
                    os.write(release, b"x")

    def pids(self):
        """The processes of the app's user, or all when there is none."""
        return [pid for pid in all_pids() if not ROOT or owner(pid) == self.user]

    @staticmethod
    def give_time(begun):
        """Let these requests come as far as they can."""
        end = time.monotonic() + 0.1
        while time.monotonic() < end and any(process.poll() is None for process in begun):
            time.sleep(0.002)

    def open_gate(self):
        """Let a server that waits for its gate listen."""
        with open(os.path.join(self.folder, "gate"), "w"):
            pass

    def servers(self):
        """The live servers, or start commands."""
        return with_variable("LAZYSCGI_APP", self.file, self.pids())

    def helpers(self):
        """The live processes of lazyscgi."""
        return with_variable("SCRIPT_FILENAME", self.file, self.pids())

    def notes(self, word):
        """The pids that the servers noted so."""
        try:
            with open(os.path.join(self.folder, "notes")) as file:
                return [int(line.split()[1]) for line in file if line.startswith(word + " ")]
        except FileNotFoundError:
            return []

    def is_locked(self):
        """Whether somebody holds the lock of the start."""
        try:
            with open(self.path("lock"), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def leftovers(self, but=()):
        """Files that nobody should have left."""
        kept = {"app.cgi." + kind for kind in KEPT} | {".htaccess", *but}
        found = set(os.listdir(self.state_folder)) if os.path.isdir(self.state_folder) else set()
        return sorted(found - kept) + os.listdir(self.tmp)

    def others(self):
        """The live processes that are no servers."""
        servers = self.servers()
        return [pid for pid in self.pids() if pid not in servers and alive(pid)] if ROOT else self.helpers()

    def settle(self, servers=1, leftovers=()):
        """Wait until lazyscgi has done; then there is one server that was never met by another, and nothing else."""
        try:
            wait_until(lambda: not self.others(), 30, "the end of all but the server")
        except AssertionError as error:
            raise Fault(str(error)) from None
        if self.notes("violation"):
            raise Fault(f"two servers ran at the same time: {self.history()}")
        if len(self.servers()) != servers:
            raise Fault(f"{len(self.servers())} servers are left: {self.history()}")
        if self.is_locked():
            raise Fault("the lock is still held")
        if self.leftovers(leftovers):
            raise Fault(f"left behind: {self.leftovers(leftovers)}")

    def recover(self):
        """A request without any fault, once the app file was touched: it clears a failed start."""
        self.touch()
        return self.expect_up(self.ask()[0])

    @staticmethod
    def expect_up(answer):
        """Fail unless the server has answered."""
        if answer.status != 200:
            raise Fault(f"the app doesn't come back: {answer.status} {answer.log}")
        return answer

    def history(self):
        """What the servers noted, and the record of the last start."""
        words = []
        for path in (os.path.join(self.folder, "notes"), self.path("state")):
            with contextlib.suppress(OSError), open(path) as file:
                words.append("; ".join(file.read().splitlines()))
        return " | ".join(words)

    def down(self):
        """Kill what runs, without a word; again, for somebody may have been about to become another."""
        for _ in range(2):
            while self.others() + self.servers():
                kill(self.others() + self.servers())

    def wipe(self):
        """As new, with nothing running."""
        self.down()
        os.chmod(self.folder, 0o755)
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name not in ("app.cgi", "tmp"):
                delete(path)
        for name in os.listdir(self.tmp):
            delete(os.path.join(self.tmp, name))

    def remove(self):
        """End all and remove the folder."""
        self.down()
        assert not any(alive(pid) for pid in self.notes("start")), "a server escaped"
        shutil.rmtree(self.folder)
