"""A private nginx for the benches."""
import httpd
from apache import answers
from lab import family
from process import wait_until

CONFIG = """
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    scgi_temp_path {folder}/scgi;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen 127.0.0.1:{port};
        {places}
    }}
}}
"""

SCGI = """
location /scgi/ {{
    include /etc/nginx/scgi_params;
    scgi_param SCRIPT_NAME /scgi;
    scgi_param PATH_INFO $uri;
    scgi_pass unix:{root}/scgi.sock;
}}
"""


class Nginx:
    """One running nginx."""

    def __init__(self, lab, places):
        self.folder = lab.new_folder("nginx")
        self.port = httpd.free_port()
        user = f"user {httpd.user().pw_name};" if httpd.ROOT else ""
        (self.folder / "nginx.conf").write_text(CONFIG.format(
            folder=self.folder, port=self.port, user=user, places=places.format(root=lab.root, folder=self.folder)))
        self.process = lab.start("nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log")
        wait_until(lambda: answers(self), what=f"nginx, see {self.folder}/error.log")

    def at(self, path):
        """Where a visitor finds a path."""
        return self.port, path

    def pids(self):
        """Its processes."""
        return family(self.process.pid)
