"""Where a bench works: a folder of its own, the programs compiled there, the processes started from there."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import httpd
from process import kill, running, wait_until

HERE = pathlib.Path(__file__).resolve().parent
SMALL = 100
VARIABLES = {
    "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "Apache/2.4.62 (Debian)", "SERVER_NAME": "localhost",
    "SERVER_ADDR": "127.0.0.1", "SERVER_PORT": "80", "SERVER_ADMIN": "[no address given]", "SERVER_SIGNATURE": "", "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321", "REQUEST_METHOD": "GET", "REQUEST_SCHEME": "http", "REQUEST_URI": f"/app.cgi/some/page?{SMALL}",
    "QUERY_STRING": str(SMALL), "SCRIPT_NAME": "/app.cgi", "PATH_INFO": "/some/page", "PATH_TRANSLATED": "/srv/www/some/page",
    "DOCUMENT_ROOT": "/srv/www", "CONTEXT_PREFIX": "", "CONTEXT_DOCUMENT_ROOT": "/srv/www", "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HTTP_HOST": "localhost", "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "HTTP_CONNECTION": "keep-alive", "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "HTTP_COOKIE": "session=0123456789abcdef0123456789abcdef; theme=dark",
}  # with SCRIPT_FILENAME, the 30 variables of a request


def reply(size=SMALL):
    """What backend.c answers."""
    return f"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n" + "x" * size


class Lab:
    """The folder of one run."""

    def __init__(self, build, others=()):
        self.build, self.others = pathlib.Path(build).resolve(), [pathlib.Path(other).resolve() for other in others]
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="lazyscgi-bench-"))
        self.root.chmod(0o755)
        self.processes, self.folders = [], 0
        self.sockets = {}
        self.program = self.copy(self.build / "cgi/lazyscgi", "lazyscgi")

    def copy(self, file, name):
        """A program, copied once to where httpd's user gets at it."""
        if not (self.root / name).exists():
            shutil.copy(file, self.root / name)
            (self.root / name).chmod(0o755)
        return self.root / name

    def make_setting(self, name):
        """A variable of the build's Makefile."""
        found = re.search(rf"^{name} = (.*)$", (self.build / "Makefile").read_text(), re.M)
        return found[1].split() if found else []

    def source(self):
        """The tree that was built."""
        return (self.build / self.make_setting("srcdir")[0]).resolve()

    def compile(self, source, *flags, cc=("gcc",), name=None, define=None):
        """Compile a program of bench/, once."""
        program = self.root / (name or source)
        if not program.exists():
            text = "" if define is None else "#define REPLY \"" + define.replace("\r\n", "\\r\\n") + "\"\n"
            copy = self.root / f"{program.name}.c"
            copy.write_text(text + (HERE / f"{source}.c").read_text())
            subprocess.run([*cc, *flags, "-pthread", "-o", program, copy], check=True)
        return program

    def start(self, *words, **options):
        """Start a process that ends with the lab."""
        process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def stop(self, process):
        """End a process, and all of its group."""
        os.killpg(process.pid, signal.SIGTERM)
        self.processes.remove(process)
        process.wait(20)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def backend(self, kind):
        """The socket of a server that answers: scgi or fastcgi."""
        if kind not in self.sockets:
            self.sockets[kind] = self.root / f"{kind}.sock"
            self.start(self.compile("backend", "-O2"), kind, self.sockets[kind])
            self.wait_for(self.sockets[kind])
        return self.sockets[kind]

    def wait_for(self, path):
        """Wait until somebody listens at a Unix socket, and open it to all."""
        def listens():
            with socket.socket(socket.AF_UNIX) as sock:
                return sock.connect_ex(str(path)) == 0
        wait_until(listens, what=f"a server at {path}")
        path.chmod(0o777)

    def folder(self, name):
        """A folder of httpd's user."""
        path = self.root / name
        path.mkdir(exist_ok=True)
        httpd.give(path)
        return path

    def new_folder(self, name):
        """A folder that isn't there yet."""
        self.folders += 1
        path = self.root / f"{name}-{self.folders}"
        path.mkdir()
        return path

    def script(self, path, text):
        """A file of httpd's user, to be executed."""
        path.write_text(text)
        path.chmod(0o755)
        httpd.give(path)
        return path

    def app_file(self, path, program=None, server=None, options=""):
        """An app file whose server is a backend; with a program, it is the script as well."""
        mark = f"#!{program}\n" if program else ""
        return self.script(path, f"{mark}start = exec {server or self.compile('backend', '-O2')} scgi \"$LAZYSCGI_SOCKET\" {options}\n")

    def clear(self):
        """End all processes, with what lazyscgi has started."""
        for process in reversed(self.processes[:]):
            self.stop(process)
        kill(running(str(self.root)))
        self.sockets.clear()

    def end(self):
        """Leave nothing."""
        self.clear()
        shutil.rmtree(self.root)


def module_of(build):
    """The httpd module of a build."""
    return build / "mod_lazyscgi/.libs/mod_lazyscgi.so"


def cpu(pids):
    """Seconds of CPU that the threads of processes have used."""
    files = [file for pid in pids for file in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def switches(pids):
    """How often their threads have gone to sleep."""
    files = [file for pid in pids for file in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read_text(), re.M)[1]) for file in files)


def cpu_with_children(pids):
    """The same, with what their children have used that they have waited for: to the hundredth of a second."""
    fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in pids]
    return cpu(pids) + sum(int(field) for words in fields for field in words[13:15]) / os.sysconf("SC_CLK_TCK")


def family(pid):
    """A process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]
