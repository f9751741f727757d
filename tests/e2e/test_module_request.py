"""What the module makes of requests and replies, beyond what it shares with the CGI program."""
import gzip
import http.client
import os
import shutil
import socket
import subprocess
import time
from urllib.parse import quote

import pytest

from app import vars_of
from client import Later, asking, raw, visit
from conftest import needs_root
from httpd import give
from process import wait_until
from server import digest
from test_module_config import mounted, only_event


def say(reply, *options):
    """The path that has our server send this."""
    return "/one/say?" + "&".join(["reply=" + quote(reply), *options])


@pytest.fixture
def one(site):
    """A site with one app at /one."""
    app = site.app()
    site.start(mounted(app, "/one") + site.load("deflate", "filter", "headers", "env", "include", "rewrite") + f"""
<Location "/one">
    SetEnv COLOUR blue
    SetEnv HTTP_PROXY visitor:1
</Location>
<Location "/one/pass">
    CGIPassAuth On
</Location>
<LocationMatch "/packed$">
    SetOutputFilter DEFLATE
</LocationMatch>
<Location "/one/sink/limited">
    LimitRequestBody 1000
</Location>
<Location "/one/sink/unpacked">
    SetInputFilter DEFLATE
</Location>
<Directory "{site.root}/www">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
</Directory>
ErrorDocument 404 /one/vars/missing
RewriteEngine On
RewriteRule ^/old/(.*)$ /one/vars/$1 [PT]
""")
    return app


def test_variables(one, site):
    """SetEnv counts; a visitor's proxy and, unless asked for, password don't; each is there once."""
    secret = {"Authorization": "Basic eDp5", "Proxy": "visitor:1"}
    got = vars_of(visit(site.at("/one/vars"), headers=secret))
    assert got["COLOUR"] == "blue"
    assert "HTTP_PROXY" not in got and "HTTP_AUTHORIZATION" not in got
    # CGIPassAuth is of Directory and .htaccess in old versions: what httpd gives is what counts
    names = list(got)
    assert len(names) == len(set(names))


def test_http_1_0(one, site):
    """Without a Host, without keep-alive."""
    reply = raw(site.httpd.port, b"GET /one/vars HTTP/1.0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 200") and b"SCRIPT_NAME" in reply


def test_keep_alive(one, site):
    """Many requests over one connection, bodies among them."""
    connection = http.client.HTTPConnection("127.0.0.1", site.httpd.port, timeout=40)
    for number in range(30):
        body = b"x" * number * 1000
        connection.request("POST", "/one/echo", body)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, body)
    connection.close()
    assert len(one.starts()) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_expect_continue(site, chunked):
    """A visitor hears that he may send once the server is there to take it, and not before."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 5"
    with socket.create_connection(("127.0.0.1", site.httpd.port), timeout=40) as sock:
        sock.sendall(f"POST /one/sink HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{length}\r\nConnection: close\r\n\r\n".encode())
        app.wait_starts()
        wait_until(app.under_way, what="the request")
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.settimeout(40)
        app.open_gate()
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        sock.sendall(b"5\r\nhello\r\n0\r\n\r\n" if chunked else b"hello")
        reply = b"".join(iter(lambda: sock.recv(1 << 16), b""))
    assert reply.startswith(b"HTTP/1.1 200") and b'"size": 5' in reply


@pytest.mark.parametrize("chunked", [False, True])
def test_limit_request_body(one, site, chunked):
    """LimitRequestBody is a 413."""
    body = b"x" * 1001
    assert visit(site.at("/one/sink/limited"), "POST", body[1:]).json["size"] == 1000
    assert visit(site.at("/one/sink/limited"), "POST", iter([body]) if chunked else body).status == 413
    site.expect("larger than LimitRequestBody|AH01587|AH01588|AH01591")


def test_input_filter(one, site):
    """A filter that makes the body longer makes CONTENT_LENGTH longer."""
    reply = visit(site.at("/one/sink/unpacked"), "POST", gzip.compress(os.urandom(50_000).hex().encode()), {"Content-Encoding": "gzip"})
    assert reply.json["size"] == 100_000 and vars_of(reply)["CONTENT_LENGTH"] == "100000"


def test_deflate(one, site):
    """Output filters work."""
    path = "/one/say/packed?reply=" + quote("Content-Type: text/plain\n\n" + "x" * 5000)
    reply = visit(site.at(path), headers={"Accept-Encoding": "gzip"})
    assert reply.headers["Content-Encoding"] == "gzip" and gzip.decompress(reply.body) == b"x" * 5000


def test_headers(one, site):
    """Status, several cookies, an external redirect."""
    reply = visit(site.at(say("Status: 418 Teapot\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Type: x/y\n\nshort and stout")))
    assert (reply.status, reply.text) == (418, "short and stout")
    assert reply.headers.get_all("Set-Cookie") == ["a=1", "b=2"] and reply.headers["Content-Type"] == "x/y"
    reply = visit(site.at(say("Location: http://elsewhere/\n\n")))
    assert (reply.status, reply.headers["Location"]) == (302, "http://elsewhere/")
    reply = visit(site.at(say("Status: 303 See Other\nLocation: /there\nContent-Type: text/plain\n\ngo")))
    assert (reply.status, reply.headers["Location"], reply.text) == (303, "/there", "go")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_internal_redirect(one, site, method):
    """Location: /path alone gives that page in place of the reply, also after a POST."""
    reply = visit(site.at(say("Location: /one/vars/there\n\n", "read=1")), method, b"body" if method == "POST" else None)
    got = vars_of(reply)
    assert (got["PATH_INFO"], got["REQUEST_METHOD"], got["CONTENT_LENGTH"]) == ("/vars/there", "GET", "0")


def test_not_modified(one, site):
    """304 by the server, and by httpd from the server's ETag."""
    reply = visit(site.at(say("Status: 304 Not Modified\nETag: \"a\"\n\n")))
    assert (reply.status, reply.body) == (304, b"")
    path = say("ETag: \"a\"\nContent-Type: text/plain\n\nthe same again")
    assert visit(site.at(path)).text == "the same again"
    reply = visit(site.at(path), headers={"If-None-Match": '"a"'})
    assert (reply.status, reply.body) == (304, b"")


def test_error_document_and_rewrite(one, site):
    """Internal redirects of httpd's own reach an app."""
    reply = visit(site.at("/nowhere"))
    assert vars_of(reply)["PATH_INFO"] == "/vars/missing" and vars_of(reply)["REDIRECT_STATUS"] == "404"
    assert visit(site.at("/nowhere"), "POST", b"x" * 1000).json["vars"]["CONTENT_LENGTH"] == "0"
    assert vars_of(visit(site.at("/old/x")))["PATH_INFO"] == "/vars/x"
    site.expect("File does not exist")


def test_include(one, site):
    """A page includes a reply, and what has failed shows as that."""
    with open(os.path.join(site.root, "www", "page.shtml"), "w") as file:
        file.write('<!--#include virtual="/one/say?reply=%s" --> <!--#include virtual="/one/close?times=99" --> end' %
                   quote("Content-Type: text/plain\n\nincluded"))
    text = visit(site.at("/page.shtml")).text
    assert text.startswith("included ") and "error occurred" in text and text.endswith(" end")
    site.expect("closed the connection before answering|unable to include|AH01339")


def test_short_reply(one, site):
    """A reply that stops short of its Content-Length does not look complete: it is an error if there is still time to say so."""
    with pytest.raises(http.client.IncompleteRead):
        visit(site.at("/one/short"))
    try:
        assert visit(site.at(say("Content-Type: text/plain\nContent-Length: 20\n\nonly ten.."))).status == 502
    except http.client.IncompleteRead:
        pass
    site.expect("in the middle of its reply")


def test_short_reply_in_chunks(one, site):
    """Nor if httpd sends it in chunks."""
    reply = raw(site.httpd.port, b"GET /one/short/packed HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
    assert b"chunked" in reply and b"\r\n0\r\n\r\n" not in reply
    site.expect("in the middle of its reply")


def test_long_reply(one, site):
    """Nor does one that goes on after it spoil the next."""
    connection = http.client.HTTPConnection("127.0.0.1", site.httpd.port, timeout=40)
    for path, text in ((say("Content-Type: text/plain\nContent-Length: 4\n\nmore than four"), b"more"), ("/one/say?reply=X:%20y%0a%0anext", b"next")):
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, text)
    connection.close()


@pytest.mark.parametrize("head", ["garbage2", "status", "long"])
def test_bad_head(one, site, head):
    """A head that httpd won't take is a 502, and nothing of it is passed on."""
    reply = visit(site.at("/one/canned/" + head))
    assert reply.status == 502 and "X-Odd" not in reply.headers and "X-Long" not in reply.headers
    site.expect("lazyscgi: .*one/app.cgi: the reply of|AH02429|AH02430|Invalid status|AH01070|malformed header|Premature end of script headers")


def test_visitor_leaves(one, site):
    """A visitor who leaves frees the thread and the server."""
    sock = socket.create_connection(("127.0.0.1", site.httpd.port))
    sock.sendall(b"GET /one/hang HTTP/1.1\r\nHost: x\r\n\r\n")
    one.wait_starts()
    wait_until(lambda: site.httpd.status()["LazySCGI[0]Server"] == "up", what="the request")
    sock.close()
    one.wait_note("gone hang")


def test_visitor_leaves_a_start(site):
    """Also while the server is being started, which goes on."""
    app = site.app(options="gate")
    site.start(mounted(app, "/one"))
    sock = socket.create_connection(("127.0.0.1", site.httpd.port))
    sock.sendall(b"GET /one/vars HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(app.under_way, what="the request")
    sock.close()
    wait_until(lambda: not app.under_way(), what="its end")
    app.open_gate()
    assert visit(site.at("/one/vars")).json["pid"] == app.starts()[0] and len(app.starts()) == 1


@pytest.mark.parametrize("size", [100, 40 << 20])
def test_who_sends_before_he_reads(one, site, size):
    """A visitor who reads nothing before he has sent all gets the echo all the same."""
    from server import blocks
    with socket.create_connection(("127.0.0.1", site.httpd.port), timeout=60) as sock:
        sock.sendall(f"POST /one/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode())
        for block in blocks(size):
            sock.sendall(block)
        response = http.client.HTTPResponse(sock)
        response.begin()
        body = response.read()
    import hashlib
    assert len(body) == size and hashlib.sha256(body).hexdigest() == digest(size)


def test_reply_before_the_visitor_reads(one, site):
    """Of a long reply that ended before its body was sent, to a visitor who did not read, nothing is lost."""
    size = 20_000_000
    with socket.create_connection(("127.0.0.1", site.httpd.port), timeout=40) as sock:
        sock.sendall(f"POST /one/source?n={size}&note=1 HTTP/1.0\r\nContent-Length: 1000000\r\n\r\nonly so much".encode())
        one.wait_note("sent")
        reply = b"".join(iter(lambda: sock.recv(1 << 20), b""))
    assert len(reply.partition(b"\r\n\r\n")[2]) == size


def test_early_reply(one, site):
    """What the server says before it has the body reaches the visitor before he has sent it."""
    with socket.create_connection(("127.0.0.1", site.httpd.port), timeout=40) as sock:
        sock.sendall(b"POST /one/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive!")
        got = b""
        while b"five!" not in got:
            got += sock.recv(1000)
        sock.sendall(b" more")
        while b" more" not in got:
            got += sock.recv(1000)


def test_sendfile(site):
    """X-Sendfile: only from folders that were named, after links are followed; else it is a header like any other."""
    app = site.app()
    shown = os.path.join(site.root, "shown")
    os.mkdir(shown)
    for name, text in (("shown/a file", "the file"), ("secret", "secret")):
        with open(os.path.join(site.root, name), "w") as file:
            file.write(text)
    os.symlink(os.path.join(site.root, "secret"), os.path.join(shown, "link"))
    site.start(mounted(app, "/one") + f'<Location "/one/say">\nLazySCGISendfile "{shown}"\n</Location>\n<Location "/one/say/off">\nLazySCGISendfile off\n</Location>\n')
    reply = visit(site.at(say(f"X-Sendfile: {shown}/a file\nContent-Type: x/y\nX-Odd: yes\n\nignored")))
    assert (reply.text, reply.headers["Content-Type"], reply.headers["X-Odd"]) == ("the file", "x/y", "yes")
    assert "X-Sendfile" not in reply.headers and reply.headers["Content-Length"] == "8"
    part = visit(site.at(say(f"X-Sendfile: {shown}/a file\nContent-Type: x/y\n\n")), headers={"Range": "bytes=4-7"})
    assert (part.status, part.text) == (206, "file")
    for path, status in ((f"{shown}/link", 403), (f"{shown}/../secret", 403), (f"{site.root}/secret", 403), (f"{shown}/none", 404), ("relative", 404), (shown, 403)):
        assert visit(site.at(say(f"X-Sendfile: {path}\nContent-Type: x/y\n\n"))).status == status
    off = visit(site.at("/one/say/off?reply=" + quote(f"X-Sendfile: {shown}/a file\nContent-Type: x/y\n\nbody")))
    assert (off.text, off.headers["X-Sendfile"]) == ("body", f"{shown}/a file")
    site.expect("X-Sendfile: ")


def curl(*words):
    """What curl says: its exit status, and the body."""
    done = subprocess.run(["curl", "-sS", "--max-time", "40", *words], capture_output=True)
    return done.returncode, done.stdout


needs_http2 = pytest.mark.skipif(b"HTTP2" not in subprocess.run(["curl", "-V"], capture_output=True).stdout, reason="needs curl with HTTP/2")


@only_event
@needs_http2
def test_http2(site):
    """HTTP/2: requests, bodies of known and unknown length, an echo, a reply that is cut short, a visitor who leaves."""
    app = site.app()
    site.start(site.load("http2") + "Protocols h2c http/1.1\n" + mounted(app, "/one"))
    http2 = ["--http2-prior-knowledge"]
    where = f"http://127.0.0.1:{site.httpd.port}"
    status, body = curl(*http2, where + "/one/vars")
    assert status == 0 and b'"SERVER_PROTOCOL": "HTTP/2.0"' in body
    big = give(app.make("big", "x" * 5_000_000))
    status, body = curl(*http2, "--data-binary", f"@{big}", where + "/one/echo")
    assert status == 0 and body == b"x" * 5_000_000
    status, body = curl(*http2, "-T", "-", where + "/one/sink")  # stdin: of unknown length
    assert status == 0 and b'"size": 0' in body
    with open(big, "rb") as file:
        done = subprocess.run(["curl", "-sS", *http2, "-X", "POST", "-T", "-", where + "/one/sink"], stdin=file, capture_output=True, timeout=40)
    assert done.returncode == 0 and b'"size": 5000000' in done.stdout
    assert curl(*http2, where + "/one/short")[0] != 0
    status, body = curl(*http2, "--max-time", "1", where + "/one/hang")
    assert status == 28
    app.wait_note("gone hang")
    site.expect("in the middle of its reply|AH03")


@only_event
@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_tls(site):
    """TLS: bodies both ways, an early reply, HTTPS in the variables."""
    app = site.app()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost"], cwd=site.root, check=True, capture_output=True)
    from httpd import free_port
    port = free_port()
    site.start(site.load("socache_shmcb", "ssl") + f"""
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile "{site.root}/cert.pem"
    SSLCertificateKeyFile "{site.root}/key.pem"
    SSLOptions +StdEnvVars
    {mounted(app, "/one")}
</VirtualHost>
""")
    where = f"https://127.0.0.1:{port}"
    status, body = curl("-k", where + "/one/vars")
    assert status == 0 and b'"HTTPS": "on"' in body and b"SSL_PROTOCOL" in body
    big = app.make("big", "x" * 5_000_000)
    for length in ([], ["-H", "Transfer-Encoding: chunked"]):
        status, body = curl("-k", *length, "--data-binary", f"@{big}", where + "/one/echo")
        assert status == 0 and body == b"x" * 5_000_000
    assert curl("-k", where + "/one/short")[0] != 0
    site.expect("in the middle of its reply|AH01906|AH01909|AH02292")
