"""A private Apache httpd: own folder, own config, free port on loopback."""
import os
import pwd
import resource
import shutil
import socket
import subprocess

from process import wait_until

FLAVOURS = {"event": "cgid", "prefork": "cgi"}
ROOT = os.geteuid() == 0

CONFIG = """
ServerRoot "{root}"
ServerName localhost
DefaultRuntimeDir "{root}/run"
PidFile "{root}/run/httpd.pid"
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{hasty_port}
{modules}
{user}
{mpm}
ListenBacklog 511
ErrorLog "{root}/error.log"
LogLevel warn
Timeout 60
TypesConfig /dev/null
DocumentRoot "{root}/www"
ScriptAlias /cgi-bin/ "{root}/cgi-bin/"
<Directory "{root}">
    AllowOverride None
    Require all granted
</Directory>
<Directory "{root}/www">
    Options ExecCGI
    AddHandler cgi-script .cgi
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
"""

MPM = {
    "event": "StartServers 5\nThreadsPerChild 64\nServerLimit 5\nMaxRequestWorkers 320\nMaxSpareThreads 320",
    "prefork": "StartServers 220\nServerLimit 320\nMaxRequestWorkers 320\nMinSpareServers 8\nMaxSpareServers 320",
}


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

    def __init__(self, flavour, root, sanitized):
        self.flavour, self.root, self.sanitized = flavour, root, sanitized
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
        wanted = ["mpm_" + self.flavour, "unixd", "authz_core", "alias", "mime", FLAVOURS[self.flavour]]
        files = [(name, os.path.join(folder, f"mod_{name}.so")) for name in wanted]
        lines = [f'LoadModule {name}_module "{file}"' for name, file in files if os.path.exists(file)]
        if self.flavour == "event":
            lines.append(f'ScriptSock "{self.root}/run/cgid.sock"')
        return CONFIG.format(
            root=self.root, port=self.port, hasty_port=self.hasty_port, modules="\n".join(lines),
            user=f"User {user().pw_name}\nGroup #{user().pw_gid}" if ROOT else "",
            mpm=MPM[self.flavour], memory="" if self.sanitized else "RLimitMEM 4000000000 8000000000")

    def start(self):
        """Start it and wait until it answers."""
        self.port, self.hasty_port = free_port(), free_port()
        path = os.path.join(self.root, "httpd.conf")
        with open(path, "w") as file:
            file.write(self.config())
        self.process = subprocess.Popen([program(), "-f", path, "-DFOREGROUND"], start_new_session=True,
                                        stdin=subprocess.DEVNULL, preexec_fn=limit_file_size)
        wait_until(self.answers, what="httpd")
        return self

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
