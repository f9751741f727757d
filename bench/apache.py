"""A private Apache httpd for the benches: one MPM, all candidates as places in it."""
import os

import httpd
from lab import family, module_of
from process import wait_until

CONFIG = """
ServerRoot "{root}"
ServerName localhost
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
Listen 127.0.0.1:{port}
{modules}
{user}
{mpm}
ListenBacklog 511
MaxKeepAliveRequests 0
Timeout 120
ErrorLog "{folder}/error.log"
LogLevel warn
DocumentRoot "{root}/www"
<Directory "/">
    Options FollowSymLinks
    AllowOverride None
</Directory>
<Directory "{root}">
    AllowOverride None
    Require all granted
</Directory>
{places}
"""

MPM = {
    "event": "StartServers 2\nServerLimit 2\nThreadsPerChild 64\nThreadLimit 64\nMaxRequestWorkers 128\nMinSpareThreads 64\nMaxSpareThreads 128",
    "event-large": "StartServers 18\nServerLimit 18\nThreadsPerChild 64\nMaxRequestWorkers 1152\nMinSpareThreads 1\nMaxSpareThreads 1152",
    "prefork": "StartServers 64\nServerLimit 128\nMaxRequestWorkers 128\nMinSpareServers 32\nMaxSpareServers 128",
}


class Apache:
    """One running httpd; one process only, if it is to be single; run by what comes before it."""

    def __init__(self, lab, mpm, modules, places, build=None, single=False, before=(), user=None, environment=()):
        self.folder = httpd.give(lab.new_folder(f"httpd-{mpm}"))
        self.port = httpd.free_port()
        folder = httpd.modules_folder()
        files = {name: f"{folder}/mod_{name}.so" for name in (f"mpm_{mpm.partition('-')[0]}", "unixd", "authz_core", "alias", *modules)}
        files |= {name: file for name, file in {"lazyscgi": module_of(build or lab.build), "trivial": lab.root / "mod_trivial.so"}.items() if name in modules}
        text = CONFIG.format(
            root=lab.root, folder=self.folder, port=self.port, mpm=MPM[mpm], places=places.format(root=lab.root, folder=self.folder),
            modules="\n".join(f'LoadModule {name}_module "{file}"' for name, file in files.items() if os.path.exists(file)),
            user=f"User {httpd.user().pw_name}\nGroup #{httpd.user().pw_gid}" if httpd.ROOT else "")
        (self.folder / "httpd.conf").write_text(text)
        lab.folder("www")
        self.process = lab.start(*before, httpd.program(), "-f", self.folder / "httpd.conf", "-X" if single else "-DFOREGROUND", user=user, env={**os.environ, **dict(environment)})
        wait_until(lambda: answers(self), timeout=60, what="httpd")

    def at(self, path):
        """Where a visitor finds a path."""
        return self.port, path

    def pids(self):
        """Its processes."""
        return family(self.process.pid)


def answers(server):
    """Whether a server accepts connections."""
    assert server.process.poll() is None, f"it didn't start: {(server.folder / 'error.log').read_text()}"
    with httpd.socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", server.port)) == 0
