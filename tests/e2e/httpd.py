"""A private Apache httpd: own folder, own config, free port on loopback."""
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess

from client import visit
from process import all_pids, exe, stat, wait_until

# How an app is reached: a name, the MPM, and the module that runs it.
FLAVOURS = {"event": ("event", "cgid"), "prefork": ("prefork", "cgi"),
            "module-event": ("event", "lazyscgi"), "module-prefork": ("prefork", "lazyscgi")}
# Of the module's own tests, some run with this one as well.
WORKER = {"module-worker": ("worker", "lazyscgi")}
MORE_MODULES = {"module-event": ["include", "deflate", "filter", "env", "headers", "dir", "rewrite"]}
MODULE = os.environ.get("LAZYSCGI_MODULE", "")
ROOT = os.geteuid() == 0

CONFIG = """
ServerRoot "{root}"
ServerName localhost
DefaultRuntimeDir "{root}/run"
PidFile "{root}/run/httpd.pid"
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{hasty_port}
Listen 127.0.0.1:{roomy_port}
{modules}
{user}
{mpm}
ListenBacklog 511
ErrorLog "{root}/error.log"
LogLevel warn
Timeout 60
TypesConfig /dev/null
DocumentRoot "{root}/www"
{cgi_bin}
<Directory "{root}">
    AllowOverride None
    Require all granted
</Directory>
<Directory "{root}/www">
    Options ExecCGI
    AddHandler {handler} .cgi
</Directory>
<Directory "{root}/www/owner">
    AllowOverride AuthConfig
</Directory>
<DirectoryMatch "^{root}/cgi-bin/limited">
    RLimitCPU 100 200
    RLimitNPROC 5000 6000
    {memory}
</DirectoryMatch>
<VirtualHost 127.0.0.1:{hasty_port}>
    Timeout 1
</VirtualHost>
<VirtualHost 127.0.0.1:{roomy_port}>
    LimitRequestLine 2000000
    LimitRequestFields 0
    LimitRequestFieldSize 2000000
</VirtualHost>
<Location "/server-status">
    SetHandler server-status
</Location>
{extra}
"""

CGI_BIN = """
ScriptAlias /cgi-bin/ "{root}/cgi-bin/"
"""

MODULE_CGI_BIN = """
LogLevel warn
Alias /cgi-bin/ "{root}/cgi-bin/"
LazySCGIMaxWaiters {waiters}
<Directory "{root}/cgi-bin">
    Options ExecCGI
    SetHandler lazyscgi
</Directory>
"""

MPM = {
    "event": "StartServers 5\nThreadsPerChild 64\nServerLimit 5\nMaxRequestWorkers 320\nMaxSpareThreads 320",
    "prefork": "StartServers 220\nServerLimit 320\nMaxRequestWorkers 320\nMinSpareServers 8\nMaxSpareServers 320",
}
MPM["worker"] = MPM["event"]


def program():
    """The httpd binary of this machine."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/local/apache2/bin"
    found = shutil.which("apache2", path=path) or shutil.which("httpd", path=path)
    assert found, "no Apache httpd on this machine"
    return found


def modules_folder():
    """Where httpd's modules are."""
    places = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules", "/usr/local/apache2/modules"]
    if shutil.which("apxs"):
        places.append(subprocess.run(["apxs", "-q", "LIBEXECDIR"], capture_output=True, text=True).stdout.strip())
    return next(place for place in places if os.path.isdir(place))


def user():
    """The user that httpd's children run as."""
    if not ROOT:
        return pwd.getpwuid(os.geteuid())
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(names[name] for name in ("www-data", "apache", "http", "www", "daemon") if name in names)


def is_sanitized(path):
    """Whether a program or module was built with AddressSanitizer."""
    with open(path, "rb") as file:
        return b"__asan_init" in file.read()


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def give(path):
    """Give a file to httpd's user."""
    if ROOT:
        os.chown(path, user().pw_uid, user().pw_gid)
    return path


def limit_file_size():
    """Lower the soft limit of file sizes, as a host might."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 33, hard))


class Httpd:
    """One running httpd of one flavour."""

    def __init__(self, flavour, root, sanitized, extra=""):
        self.mpm, self.runner = {**FLAVOURS, **WORKER}[flavour]
        self.flavour, self.root, self.sanitized, self.extra = flavour, root, sanitized, extra
        self.is_module = self.runner == "lazyscgi"
        self.limits, self.waiters, self.prefix = MPM[self.mpm], 300, []
        self.exe = os.path.realpath(program())
        self.error_log = os.path.join(root, "error.log")
        for name in ("run", "www", "cgi-bin"):
            give(self.make(name))

    def make(self, name):
        """Make a folder inside the root."""
        path = os.path.join(self.root, name)
        os.makedirs(path)
        return path

    def config(self):
        """The text of the config."""
        folder = modules_folder()
        wanted = ["mpm_" + self.mpm, "unixd", "authz_core", "alias", "mime", "status"] + MORE_MODULES.get(self.flavour, [])
        files = [(name, os.path.join(folder, f"mod_{name}.so")) for name in wanted]
        files.append((self.runner, MODULE if self.is_module else os.path.join(folder, f"mod_{self.runner}.so")))
        lines = [f'LoadModule {name}_module "{file}"' for name, file in files if os.path.exists(file)]
        if self.runner == "cgid":
            lines.append(f'ScriptSock "{self.root}/run/cgid.sock"')
        return CONFIG.format(
            root=self.root, port=self.port, hasty_port=self.hasty_port, roomy_port=self.roomy_port, modules="\n".join(lines),
            user=f"User {user().pw_name}\nGroup #{user().pw_gid}" if ROOT else "",
            mpm=self.limits, memory="" if self.sanitized else "RLimitMEM 4000000000 8000000000",
            cgi_bin=(MODULE_CGI_BIN if self.is_module else CGI_BIN).format(root=self.root, waiters=self.waiters),
            handler="lazyscgi" if self.is_module else "cgi-script", extra=self.extra)

    def start(self):
        """Start it and wait until it answers."""
        self.port, self.hasty_port, self.roomy_port = free_port(), free_port(), free_port()
        path = os.path.join(self.root, "httpd.conf")
        with open(path, "w") as file:
            file.write(self.config())
        self.process = subprocess.Popen([*self.prefix, program(), "-f", path, "-DFOREGROUND"], start_new_session=True,
                                        stdin=subprocess.DEVNULL, preexec_fn=limit_file_size, env=self.environment())
        wait_until(self.answers, what="httpd")
        return self

    def environment(self):
        """httpd's environment; the sanitizers' library must be there before it loads a module that wants it."""
        if not (self.is_module and self.sanitized):
            return os.environ
        library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
        return {**os.environ, "LD_PRELOAD": library.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}

    def children(self):
        """httpd's children."""
        parent = self.process.pid
        return [pid for pid in all_pids() if exe(pid) == self.exe and int((stat(pid) or [0, 0])[1]) == parent]

    def reload(self):
        """A graceful restart."""
        self.process.send_signal(signal.SIGUSR1)

    def status(self):
        """What mod_status says, for machines."""
        lines = visit((self.port, "/server-status?auto")).text.splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    def answers(self):
        """Whether httpd accepts connections."""
        assert self.process.poll() is None, "httpd didn't start: " + self.log()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self, offset=0):
        """The error log from an offset on."""
        if not os.path.exists(self.error_log):
            return ""
        with open(self.error_log, "rb") as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace")

    def stop(self):
        """Stop it."""
        self.process.terminate()
        self.process.wait(20)
