"""An application behind lazyscgi: its app file, its state, its server."""
import glob
import json
import os
import re
import shlex
import shutil
import signal
import sys

from httpd import give
from process import alive, all_pids, exe, kill, read, stat, with_variable, wait_until
from server import Folder

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")


class App:
    """One app file in its own folder under a private httpd."""

    def __init__(self, httpd, binary, place, name="app.cgi", installed=False):
        self.httpd, self.binary = httpd, binary
        self.folder = give(httpd.make(place))
        self.script = os.path.join(self.folder, name)
        self.file = self.script + ".conf" if installed else self.script
        self.installed = installed
        self.url = ("/" + place).replace("/www/", "/") + "/" + name
        shutil.copy(SERVER, self.folder)
        self.notes = Folder(self.folder)

    def command(self, options=""):
        """The start command of our misbehaving server."""
        words = [sys.executable, "-SE", os.path.join(self.folder, "server.py"), self.folder]
        return "exec " + " ".join(map(shlex.quote, words)) + " " + options

    def write(self, text=None, **keys):
        """Write the app file, and the script beside it if lazyscgi is installed as that."""
        lines = [f"{key.replace('_', '-')} = {value}" for key, value in keys.items() if value is not None]
        body = text if text is not None else "\n".join(lines) + "\n"
        with open(self.file, "w") as file:
            file.write(body if self.installed else f"#!{self.binary}\n{body}")
        if self.installed:
            shutil.copy(self.binary, self.script)
        for path in (self.file, self.script):
            os.chmod(give(path), 0o755)
        return self

    def touch(self):
        """Touch the app file."""
        before = os.stat(self.file).st_mtime_ns
        os.utime(self.file)
        if os.stat(self.file).st_mtime_ns == before:
            os.utime(self.file, ns=(before, before + 1))

    def make(self, name, text=""):
        """Make a file in the app's folder."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return give(path)

    def open_gate(self):
        """Let a server that waits for its gate go on."""
        self.make("gate")

    def at(self, path="", hasty=False):
        """Where a visitor finds a path of the app."""
        return (self.httpd.hasty_port if hasty else self.httpd.port), self.url + path

    @property
    def state_folder(self):
        """The default state folder."""
        return os.path.join(self.folder, ".lazyscgi-" + os.uname().nodename)

    def state_path(self, kind):
        """A file in the state folder."""
        return os.path.join(self.state_folder, f"{os.path.basename(self.file)}.{kind}")

    def make_state_folder(self):
        """Make the state folder as lazyscgi would."""
        os.mkdir(self.state_folder, 0o700)
        return give(self.state_folder)

    def state(self):
        """The record of the last start."""
        with open(self.state_path("state")) as file:
            return dict(line.split(" = ", 1) for line in file.read().splitlines() if line[:1] != "#")

    def wait_outcome(self, outcome):
        """Wait until the last start has this outcome and return the record."""
        wait_until(lambda: os.path.exists(self.state_path("state")) and self.state().get("outcome") == outcome, what=outcome)
        return self.state()

    def log(self):
        """What the server printed."""
        with open(self.state_path("log")) as file:
            return file.read()

    def starts(self):
        """The pid of each start so far."""
        return [int(line) for line in self.notes.lines("starts")]

    def wait_starts(self, count=1):
        """Wait until the server was started so often."""
        wait_until(lambda: len(self.starts()) >= count, what=f"start {count}")
        return self.starts()

    def wait_note(self, pattern):
        """Wait until the server noted something."""
        wait_until(lambda: re.search(pattern, "\n".join(self.notes.lines("notes"))), what=f"note {pattern}")

    def pids(self):
        """The server's live processes."""
        return with_variable("LAZYSCGI_APP", self.file)

    def kill(self, number=signal.SIGKILL):
        """Kill the server and wait for its end."""
        kill(self.pids(), number)

    def helpers(self):
        """The live processes of lazyscgi that work for this app."""
        if self.httpd.is_module:
            httpd = self.httpd.process.pid  # a starter is a fork of it, and leads a session of its own
            forks = [pid for pid in all_pids() if pid != httpd and read(f"/proc/{pid}/cmdline") == read(f"/proc/{httpd}/cmdline")]
            return [pid for pid in forks if int((stat(pid) or [0] * 4)[3]) == pid]
        programs = (self.binary, self.script)
        pids = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/exe") if exe(path.split("/")[2]) in programs]
        return with_variable("SCRIPT_FILENAME", self.script, pids)

    def requests(self):
        """The live CGI processes of this app: those that httpd itself started."""
        return [pid for pid in self.helpers() if exe(int((stat(pid) or [0, 0])[1])) == self.httpd.exe]

    def under_way(self):
        """How many requests lazyscgi holds: CGI processes, or those that wait in the module."""
        if not self.httpd.is_module:
            return len(self.requests())
        status = self.httpd.status()
        row = next((key.split("]")[0] for key, value in status.items() if key.endswith("]App") and value == self.file), "")
        return int(status.get(row + "]Waiting", 0))

    def clean(self):
        """End all that belongs to this app."""
        wait_until(lambda: not self.under_way(), 10, "the end of the requests")
        kill(self.helpers())
        self.kill()
        assert not any(alive(pid) for pid in self.starts()), "a server escaped"

    def complaint(self, text=""):
        """The line about this app that the owner finds in httpd's error log."""
        return rf"lazyscgi: {re.escape(self.file)}: .*{text}"

    def dump(self, name):
        """A file that the start command of `dumping` made."""
        with open(os.path.join(self.folder, "dump", name), "rb") as file:
            return file.read()

    def dumping(self):
        """A start command that tells what it was given before it becomes the server."""
        folder = shlex.quote(give(self.httpd.make(os.path.relpath(os.path.join(self.folder, "dump"), self.httpd.root))))
        copies = " ".join(f"cat /proc/$$/{name} > {folder}/{name};" for name in ("environ", "limits", "stat"))
        # by the shell itself, which may block signals while it starts another program
        copies += f" while IFS= read -r line; do echo \"$line\"; done < /proc/$$/status > {folder}/status;"
        return f"{copies} ls -l /proc/$$/fd; pwd > {folder}/cwd; {self.command()}"


def vars_of(reply):
    """The SCGI variables that the server got."""
    assert reply.status == 200, reply.text
    return json.loads(reply.body)["vars"]
