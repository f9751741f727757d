"""Requests that mean harm."""
import pytest

from app import vars_of
from client import raw, visit

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


def test_many_headers(app):
    """Ninety headers pass."""
    got = vars_of(visit(app.at("/vars"), headers={f"X-{number}": str(number) for number in range(90)}))
    assert [got[f"HTTP_X_{number}"] for number in range(90)] == [str(number) for number in range(90)]


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


@pytest.mark.parametrize("length", ["-1", "1x", "99999999999999999999999"])
def test_bad_length(app, length):
    """A bad Content-Length reaches no server."""
    request = f"POST {app.url}/sink HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    assert raw(app.httpd.port, request.encode()).split()[1] in (b"400", b"413")
    assert app.starts() == []


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
