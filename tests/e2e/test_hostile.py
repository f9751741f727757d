"""Requests that mean harm."""
import socket
from urllib.parse import quote

import pytest

from app import vars_of
from client import raw, visit, visit_raw

pytestmark = pytest.mark.usefixtures("unharmed")
QUERIES = ["--version", "--check+x", "-x+/etc/passwd", "/etc/passwd", "-", "--", "a+b+c", "%00", "%0a%ff", "+", "-h", "%24(id)"]


@pytest.mark.parametrize("installed", [False, True], ids=["script", "installed"])
@pytest.mark.parametrize("query", QUERIES)
def test_query_that_becomes_arguments(shared, query, installed):
    """A query without `=` becomes arguments, and is ignored as such."""
    assert vars_of(visit(shared[installed].at(f"/vars?{query}")))["QUERY_STRING"] == query


@pytest.fixture
def shared(make):
    """An app in both forms."""
    return [make(), make(name="x.cgi", installed=True)]


def test_other_app_file(make):
    """A visitor can't choose the app file."""
    bait = make(text="")
    bait.write(start=f"touch {bait.folder}/bitten; {bait.command()}")
    app = make(name="x.cgi", installed=True)
    assert vars_of(visit(app.at("/vars?" + bait.file)))["SCRIPT_NAME"] == app.url
    assert bait.starts() == [] and bait.notes.lines("bitten") == []


def test_large_headers(app):
    """Fifty headers of 8 KB pass."""
    headers = {f"X-Large-{number}": chr(65 + number % 26) * 8000 for number in range(50)}
    got = vars_of(visit(app.at("/vars"), headers=headers))
    assert [len(got[f"HTTP_X_LARGE_{number}"]) for number in range(50)] == [8000] * 50


def lines(headers):
    """Headers as they are sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


@pytest.mark.parametrize("count", [90, 10_000])
def test_many_headers(app, log, count):
    """Ten thousand headers pass; mod_cgid itself takes no more than some thousands."""
    headers = {f"X-{number}": str(number) for number in range(count)}
    reply = visit_raw(app.httpd.roomy_port, f"GET {app.url}/vars HTTP/1.0\r\n{lines(headers)}\r\n".encode())
    if count == 10_000 and app.httpd.runner == "cgid" and reply.status == 503:
        log.expect("could not send request to cgi daemon")
        log.allow("AH01248")
        return
    got = vars_of(reply)
    assert [got[f"HTTP_X_{number}"] for number in range(count)] == [str(number) for number in range(count)]


@pytest.mark.parametrize("size", [100_000, 1 << 20])
def test_large_header(app, log, size):
    """A header of a mebibyte passes in the module; no program can be given one of more than 128 KiB."""
    reply = visit_raw(app.httpd.roomy_port, f"GET {app.url}/vars HTTP/1.0\r\nX-Large: {'x' * size}\r\n\r\n".encode())
    if size == 1 << 20 and not app.httpd.is_module:
        assert reply.status in (500, 503) and app.starts() == []
        log.expect("AH10245|AH01215")
        log.allow("AH01248|End of script output before headers")
        return
    assert vars_of(reply)["HTTP_X_LARGE"] == "x" * size


ODD_PATHS = {
    "bytes": ("/vars/%ff%fe%80", "/vars/\xff\xfe\x80"),
    "lines": ("/vars/%0a%0d%09", "/vars/\n\r\t"),
    "shell": ("/vars/%22%27%3b%60id%60", "/vars/\"';`id`"),
    "netstring": ("/vars/a:b,c=%25s%25n", "/vars/a:b,c=%s%n"),
    "long": ("/vars/" + "x/" * 1800, "/vars/" + "x/" * 1800),
}


@pytest.mark.parametrize("name", ODD_PATHS)
def test_odd_paths(app, name):
    """Odd bytes in the path arrive as they are."""
    path, expected = ODD_PATHS[name]
    assert vars_of(visit(app.at(path)))["PATH_INFO"] == expected


def test_odd_bytes(app):
    """Odd bytes in the query and in headers arrive as they are."""
    request = f"GET {app.url}/vars?a=%00\xff\xe9 HTTP/1.1\r\nHost: x\r\nX-Odd: \xff\x80\t,:=%s\r\nX-Empty:\r\nConnection: close\r\n\r\n"
    answer = raw(app.httpd.port, request.encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"a=%00\\u00ff\\u00e9"' in answer and b'"\\u00ff\\u0080\\t,:=%s"' in answer
    assert b'"HTTP_X_EMPTY": ""' in answer


def test_long_query(app):
    """A query near httpd's limit arrives."""
    assert vars_of(visit(app.at("/vars?" + "q" * 7500)))["QUERY_STRING"] == "q" * 7500


def test_forged_variables(app):
    """Headers can't pose as variables of the protocol."""
    headers = {"SCGI": "0", "Gateway-Interface": "x", "Script-Filename": "/etc/passwd", "Lazyscgi-Socket": "/tmp/x"}
    got = vars_of(visit(app.at("/vars"), headers=headers))
    assert got["SCGI"] == "1" and got["SCRIPT_FILENAME"] == app.script and "LAZYSCGI_SOCKET" not in got


CHUNKED = "Transfer-Encoding: chunked\r\n"
REFUSED = {
    "NUL in the path": ("GET", "/vars%00x", "", "", "404"),
    "bare NUL in the path": ("GET", "/vars\0x", "", "", "400"),
    "NUL in a header": ("GET", "/vars", "X-A: a\0b\r\n", "", "400"),
    "carriage return in a header": ("GET", "/vars", "X-A: a\rX-B: b\r\n", "", "400"),
    "control character in a name": ("GET", "/vars", "X\1: a\r\n", "", "400"),
    "control character in the method": ("G\1T", "/vars", "", "", "400"),
    "negative length": ("POST", "/sink", "Content-Length: -1\r\n", "abc", "400"),
    "signed length": ("POST", "/sink", "Content-Length: +3\r\n", "abc", "400"),
    "length that is none": ("POST", "/sink", "Content-Length: 1x\r\n", "abc", "400"),
    "empty length": ("POST", "/sink", "Content-Length:\r\n", "abc", "400"),
    "list of lengths": ("POST", "/sink", "Content-Length: 3, 3\r\n", "abc", "400"),
    "two lengths": ("POST", "/sink", "Content-Length: 3\r\nContent-Length: 5\r\n", "abcde", "400"),
    "length beyond numbers": ("POST", "/sink", "Content-Length: 99999999999999999999999\r\n", "abc", "400 413"),
    "length beyond all bounds": ("POST", "/sink", "Content-Length: 9223372036854775807\r\n", "abc", "400 413"),
    "unknown coding": ("POST", "/sink", "Transfer-Encoding: gzip\r\n", "3\r\nabc\r\n0\r\n\r\n", "400 501"),
    "chunk that is none": ("POST", "/sink", CHUNKED, "zz\r\nabc\r\n0\r\n\r\n", "400"),
    "chunk beyond numbers": ("POST", "/sink", CHUNKED, "ffffffffffffffffff\r\nabc\r\n", "400 413"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(app, log, name):
    """What is no request, or could be taken for two, is answered without a server."""
    method, path, headers, body, statuses = REFUSED[name]
    with socket.create_connection(("127.0.0.1", app.httpd.port), timeout=40) as sock:
        sock.sendall(f"{method} {app.url}{path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}".encode("latin-1"))
        assert sock.recv(12).decode().split()[1] in statuses.split()
    if app.httpd.is_module or headers != CHUNKED:  # to a program, chunks that break off look like all of them
        assert app.starts() == []
    log.allow("AH01225|AH01270|AH0158|LimitRequestBody|CONTENT_LENGTH can't be")


ACCEPTED = {
    "folded header": ("GET", "X-A: a\r\n b\r\n\tc\r\n", {"HTTP_X_A": "a b c"}),
    "header of several lines": ("GET", "X-A: one\r\nx-a: two\r\n", {"HTTP_X_A": "one, two"}),
    "names that are no variables": ("GET", "X_A: a\r\nContent_Length: 7\r\nX.B: b\r\n", {"HTTP_X_A": None, "CONTENT_LENGTH": "0", "HTTP_X.B": None}),
    "unknown method": ("BREW", "", {"REQUEST_METHOD": "BREW"}),
    "length and chunks": ("POST", "Content-Length: 1\r\n" + CHUNKED + "\r\n3\r\nabc\r\n0\r\n", {"CONTENT_LENGTH": "3", "HTTP_TRANSFER_ENCODING": None}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(app, name):
    """What can be taken in one way only is."""
    method, headers, expected = ACCEPTED[name]
    got = vars_of(visit_raw(app.httpd.port, f"{method} {app.url}/vars HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()))
    assert {name: got.get(name) for name in expected} == expected


def test_two_requests_in_one(app):
    """What follows a body is the next request, and none of this one's."""
    first = f"POST {app.url}/sink HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    second = f"GET {app.url}/vars/second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(app.httpd.port, (first + second).encode())
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b'"size": 3,') == 1 and answer.count(b'"PATH_INFO": "/vars/second"') == 1


def test_body_shorter_than_said(app, log):
    """A visitor who leaves in the middle of his body is no request that the server could take for whole."""
    with socket.create_connection(("127.0.0.1", app.httpd.port), timeout=40) as sock:
        sock.sendall(f"POST {app.url}/close?read=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode())
        app.wait_note("close POST 1")
    app.wait_note("gone close EOFError")
    assert visit(app.at("/vars")).json["pid"] == app.starts()[0]
    log.allow("AH01225|AH01270|End of script output before headers|AH01215: .*Broken pipe")


def test_line_end_in_a_folder(make, log):
    """An app file in a folder whose name is two lines is refused, in one line."""
    app = make(place="www/two\nlines", text="start = true\n")
    assert visit((app.httpd.port, quote(app.url))).status == 500
    log.expect("lazyscgi: .*two.*lines.*/app.cgi: the app file's path must not hold a line end", times=1)


@pytest.mark.parametrize("place, statuses", [("www/owner/app", [403]), ("www/app", [403, 404, 500])], ids=["htaccess", "none"])
def test_log_is_not_served(make, log, place, statuses):
    """The log and the state of an app in the document root aren't served, with .htaccess files or without."""
    app = make(place=place)
    assert visit(app.at("/vars")).status == 200
    app.wait_outcome("up")
    folder = app.url.rpartition("/")[0] + "/" + app.state_folder.rpartition("/")[2]
    for kind in ("log", "state", "lock"):
        reply = visit((app.httpd.port, f"{folder}/app.cgi.{kind}"))
        assert reply.status in statuses
    log.allow("AH01241|AH01215|End of script output|AH02811|attempt to invoke directory|this is no app file")


@pytest.fixture(autouse=True)
def quiet(log):
    """httpd itself complains about some of this."""
    log.allow("AH01630|AH00128|AH01587|AH02429|AH10244|AH00565|AH0056")
