"""A site of its own for one test of the module: an httpd with some more configuration, and its apps."""
import os
import re
import shutil
import subprocess
import tempfile

from app import App
from httpd import MODULE, Httpd, is_sanitized, modules_folder, program
from process import alive, kill, running

BAD = re.compile(r"\[(lazyscgi|core|mpm_\w+|http|http2|ssl)[^]]*:(error|crit|alert|emerg)\]|exit signal|Sanitizer|runtime error")


class Site:
    """One httpd with mod_lazyscgi and apps that are mounted."""

    def __init__(self, flavour="module-event"):
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="lazyscgi-e2e-"))
        os.chmod(self.root, 0o755)
        self.httpd = Httpd(flavour, self.root, is_sanitized(MODULE))
        self.apps, self.expected = [], []

    def app(self, name="one", url="/one", options="", write=True, place="apps", **keys):
        """An app file, outside the document root if no other place is given."""
        app = App(self.httpd, "/bin/lazyscgi", f"{place}/{name}")
        app.url = url
        if write:
            keys.setdefault("start", app.command(options))
            app.write(**keys)
        self.apps.append(app)
        return app

    def load(self, *modules):
        """LoadModule lines."""
        return "".join(f'LoadModule {name}_module "{modules_folder()}/mod_{name}.so"\n' for name in modules)

    def start(self, extra=""):
        """Start httpd with some more configuration."""
        self.httpd.extra = extra
        self.httpd.start()
        return self

    def rewrite(self, extra):
        """Other configuration, from the next reload on."""
        self.httpd.extra = extra
        with open(os.path.join(self.root, "httpd.conf"), "w") as file:
            file.write(self.httpd.config())

    def configtest(self, extra):
        """What `httpd -t` says of some more configuration: its exit status and its words."""
        self.httpd.port, self.httpd.hasty_port, self.httpd.roomy_port = 1, 2, 3
        self.rewrite(extra)
        done = subprocess.run([program(), "-t", "-f", os.path.join(self.root, "httpd.conf")], capture_output=True, text=True,
                              env=self.httpd.environment())
        return done.returncode, done.stderr

    def at(self, path):
        """Where a visitor finds a path."""
        return self.httpd.port, path

    def children(self):
        """httpd's children."""
        return self.httpd.children()

    def expect(self, pattern):
        """Allow such lines in the error log."""
        self.expected.append(pattern)

    def errors(self):
        """Lines of the error log that nobody expected."""
        return [line for line in self.httpd.log().splitlines()
                if BAD.search(line) and not any(re.search(pattern, line) for pattern in self.expected)]

    def stop(self):
        """Stop all of it."""
        if not hasattr(self.httpd, "process"):
            return
        for app in self.apps:
            kill(app.helpers())
            kill([pid for pid in app.starts() if alive(pid)])
        self.httpd.stop()
        assert not any(alive(pid) for app in self.apps for pid in app.starts()), "a server escaped"

    def remove(self):
        """Whatever happened before."""
        if hasattr(self.httpd, "process"):
            self.httpd.process.kill()
            self.httpd.process.wait()
        for app in self.apps:
            kill([pid for pid in app.starts() if alive(pid)])
        kill(running(self.root))
        shutil.rmtree(self.root)
