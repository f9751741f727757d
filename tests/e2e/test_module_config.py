"""How the module is configured: mistakes, mounts, sections."""
import os
import shutil

import pytest

from app import vars_of
from client import raw, visit
from conftest import needs_root
from httpd import give, user
from process import wait_until

only_event = pytest.mark.parametrize("site", ["module-event"], indirect=True)


MISTAKES = [
    ("LazySCGI strat x", "there is no key 'strat'; the nearest is 'start'"),
    ("LazySCGI start", "'start' has no value"),
    ("LazySCGI start a\nLazySCGI start b", "'start' is given twice"),
    ("LazySCGI patience soon", "wants a duration"),
    ("LazySCGI socket nonsense", "'socket' can't be 'nonsense'"),
    ("LazySCGIApp /nonexistent/app.lscgi", "can't be read"),
    ("LazySCGIApp {bad}", "line 3: there is no key 'sokcet'; the nearest is 'socket'"),
    ("LazySCGIApp {good}\nLazySCGI start x", "one section has one app"),
    ("LazySCGI start x\nLazySCGIApp {good}", "one section has one app"),
    ("LazySCGISendfile /nonexistent", "is no folder"),
]


@only_event
@pytest.mark.parametrize("lines, sentence", MISTAKES)
def test_mistakes_stop_configtest(site, lines, sentence):
    """A mistake is told with file and line."""
    good, bad = site.app(), site.app("bad", write=False)
    bad.write(text="\nsokcet = x\n")
    lines = lines.format(good=good.file, bad=bad.file)
    status, words = site.configtest(f'<Location "/x">\n{lines}\n</Location>\n')
    with open(os.path.join(site.root, "httpd.conf")) as file:
        at = file.read().splitlines().index(lines.splitlines()[-1]) + 1
    assert status != 0 and sentence in words
    assert f"error on line {at} of {site.root}/httpd.conf" in words


@only_event
@pytest.mark.parametrize("number", ["-1", "many", "99999999999999999999"])
def test_waiters_are_a_number(site, number):
    """LazySCGIMaxWaiters wants a number."""
    status, words = site.configtest(f'LazySCGIMaxWaiters "{number}"\n')
    assert status != 0 and "LazySCGIMaxWaiters wants a number" in words


@only_event
def test_good_configuration(site):
    """All of it is fine, and nothing is made or started by looking at it."""
    app = site.app()
    status, words = site.configtest(f"""
<Location "/a">
    LazySCGIApp {app.file}
    LazySCGI response-timeout 5s
</Location>
<Location "/b">
    LazySCGI start "exec x y"
    LazySCGI env A=b c
    LazySCGI socket run/app.sock
</Location>
<Location "/a/static">
    LazySCGIApp off
</Location>
LazySCGISendfile {site.root} /tmp
LazySCGIMaxWaiters 0
""")
    assert (status, app.starts()) == (0, [])
    assert "Syntax OK" in words


def mounted(app, url):
    """A Location that mounts an app."""
    return f'<Location "{url}">\n LazySCGIApp "{app.file}"\n</Location>\n'


PATHS = [("/wiki", "", "/wiki"), ("/wiki/", "/", "/wiki/"), ("/wiki/a/b", "/a/b", "/wiki/a/b"), ("/wiki/a%20b?x=1", "/a b", "/wiki/a%20b?x=1"),
         ("/wiki/%C3%A9", "/\xc3\xa9", "/wiki/%C3%A9"), ("/wiki//a", "/a", "/wiki//a"), ("/wiki/a.cgi/b.gz", "/a.cgi/b.gz", "/wiki/a.cgi/b.gz")]


@only_event
@pytest.mark.parametrize("url, path_info, uri", PATHS)
def test_location(site, url, path_info, uri):
    """SCRIPT_NAME is the Location's path, PATH_INFO what follows, decoded."""
    app = site.app(options="always=vars")
    site.start(mounted(app, "/wiki") + "AddHandler server-status .cgi\nAddEncoding x-gzip .gz\n")
    reply = visit(site.at(url))
    got = vars_of(reply)
    assert (got["SCRIPT_NAME"], got["PATH_INFO"], got["REQUEST_URI"]) == ("/wiki", path_info, uri)
    assert got["SCRIPT_FILENAME"] == app.file
    assert "PATH_TRANSLATED" not in got and "Content-Encoding" not in reply.headers


@only_event
def test_whole_site(site):
    """A mount of / has an empty SCRIPT_NAME; `off` leaves a part out, and what is not below isn't mounted."""
    app, other = site.app(options="always=vars"), site.app("other", options="always=vars")
    static = os.path.join(site.root, "www", "static")
    os.mkdir(static)
    with open(os.path.join(static, "x.txt"), "w") as file:
        file.write("a file")
    site.start(mounted(app, "/") + '<Location "/static">\nLazySCGIApp off\n</Location>\n' + mounted(other, "/other"))
    got = vars_of(visit(site.at("/")))
    assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("", "/")
    assert vars_of(visit(site.at("/a/b?c")))["PATH_INFO"] == "/a/b"
    assert visit(site.at("/static/x.txt")).text == "a file"
    assert visit(site.at("/static/none")).status == 404
    assert vars_of(visit(site.at("/other/x")))["SCRIPT_FILENAME"] == other.file
    assert vars_of(visit(site.at("/others")))["SCRIPT_FILENAME"] == app.file


@only_event
def test_directory(site):
    """In a Directory it is what leads to that folder, aliases included."""
    app = site.app(options="always=vars")
    folder = os.path.join(site.root, "elsewhere")
    os.makedirs(os.path.join(folder, "sub"))
    site.start(f'Alias "/alias" "{folder}"\n<Directory "{folder}">\nLazySCGIApp "{app.file}"\n</Directory>\n')
    for url, path_info in (("/alias/", "/"), ("/alias/x/y", "/x/y"), ("/alias/sub/z%20z", "/sub/z z"), ("/alias/sub/", "/sub/")):
        got = vars_of(visit(site.at(url)))
        assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("/alias", path_info)


@only_event
def test_if_and_virtual_host(site):
    """Sections that depend on the request."""
    app, host = site.app(options="always=vars"), site.app("host", options="always=vars")
    site.start(f"""
<Location "/in">
    <If "%{{HTTP:X-App}} == 'yes'">
        LazySCGIApp "{app.file}"
    </If>
</Location>
<If "%{{HTTP:X-All}} == 'yes'">
    LazySCGIApp "{app.file}"
</If>
<VirtualHost 127.0.0.1:*>
    ServerName host.example
    <Location "/">
        LazySCGIApp "{host.file}"
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:*>
    ServerName other.example
    DocumentRoot "{site.root}/www"
</VirtualHost>
""")
    other = {"Host": "other.example"}
    assert visit(site.at("/in/x"), headers=other).status == 404
    got = vars_of(visit(site.at("/in/x"), headers={**other, "X-App": "yes"}))
    assert (got["SCRIPT_NAME"], got["PATH_INFO"], got["SCRIPT_FILENAME"]) == ("/in", "/x", app.file)
    got = vars_of(visit(site.at("/any/x"), headers={**other, "X-All": "yes"}))
    assert (got["SCRIPT_NAME"], got["PATH_INFO"]) == ("", "/any/x")
    assert vars_of(visit(site.at("/a"), headers={"Host": "host.example"}))["SCRIPT_FILENAME"] == host.file
    site.expect("AH00128|File does not exist")


def inline(app, url, *lines):
    """A Location with the settings of an app."""
    start = app.command("always=vars")
    return "\n".join([f'<Location "{url}">', f"LazySCGI start {start}", *lines, "</Location>", ""])


def test_inline(site):
    """Settings without an app file; those of an inner section are added."""
    app = site.app(write=False)
    site.start(inline(app, "/rpc", "LazySCGI env A=1", "LazySCGI env B=2", "LazySCGI response-timeout 9s") +
               '<Location "/rpc/slow">\nLazySCGI response-timeout 20s\n</Location>\n'
               '<Location "/rpc/other">\nLazySCGI env A=3\n</Location>\n')
    reply = visit(site.at("/rpc/x"))
    assert vars_of(reply)["SCRIPT_NAME"] == "/rpc" and vars_of(reply)["PATH_INFO"] == "/x"
    slow = visit(site.at("/rpc/slow/x"))
    assert vars_of(slow)["PATH_INFO"] == "/slow/x" and slow.json["pid"] == reply.json["pid"]
    other = visit(site.at("/rpc/other/x"))
    assert vars_of(other)["SCRIPT_NAME"] == "/rpc/other" and other.json["pid"] != reply.json["pid"]
    for pid, colours in ((reply.json["pid"], "1 2"), (other.json["pid"], "3 2")):
        with open(f"/proc/{pid}/environ") as file:
            got = dict(word.split("=", 1) for word in file.read().split("\0") if word)
        assert f"{got['A']} {got['B']}" == colours
    runtime = os.path.join(site.root, "run", "lazyscgi")
    assert os.stat(runtime).st_mode & 0o777 == 0o700 and os.stat(runtime).st_uid == user().pw_uid


def test_inline_changes(site):
    """A reload restarts the server of an inline app if, and only if, its settings have changed."""
    app = site.app(write=False)
    site.start(inline(app, "/rpc", "LazySCGI env A=1"))
    first = visit(site.at("/rpc")).json["pid"]
    old = site.children()
    site.rewrite(inline(app, "/rpc", "LazySCGI env A=1"))
    site.httpd.reload()
    wait_until(lambda: not set(old) & set(site.children()), what="new children")
    assert visit(site.at("/rpc")).json["pid"] == first
    old = site.children()
    site.rewrite(inline(app, "/rpc", "LazySCGI env A=2"))
    site.httpd.reload()
    wait_until(lambda: not set(old) & set(site.children()), what="new children")
    assert visit(site.at("/rpc")).json["pid"] != first
    assert len(app.starts()) == 2


@only_event
def test_numbers_win_over_the_app_file(site):
    """Durations and sizes of a section are valid for an app file below it."""
    app = site.app(max_body="1G")
    site.start(mounted(app, "/one") + '<Location "/one/sink">\nLazySCGI max-body 10\n</Location>\n')
    assert visit(site.at("/one/sink"), "POST", iter([b"x" * 10])).status == 200
    assert visit(site.at("/one/sink"), "POST", iter([b"x" * 11])).status == 413
    site.expect("more than 'max-body'")


@pytest.fixture
def owners(site):
    """A place where an owner may write .htaccess files, and an app file in it."""
    app = site.app("app", url="/mine/app/app.lscgi", write=False, place="www/mine")
    app.script = app.file = os.path.join(app.folder, "app.lscgi")
    app.write(start=app.command("always=vars"))
    return app


HTACCESS = '<Directory "{root}/www/mine">\n    Options {options}\n    AllowOverride FileInfo\n</Directory>\n'


@pytest.mark.parametrize("options, status", [("+ExecCGI", 200), ("-ExecCGI", 403)])
def test_htaccess(site, owners, options, status):
    """An owner has app files run by .htaccess where CGI scripts may be, and only there."""
    owners.make(".htaccess", "AddHandler lazyscgi .lscgi\n")
    site.start(HTACCESS.format(root=site.root, options=options))
    reply = visit(site.at(owners.url + "/x/y"))
    assert reply.status == status
    if status == 200:
        got = vars_of(reply)
        assert (got["SCRIPT_NAME"], got["PATH_INFO"], got["SCRIPT_FILENAME"]) == (owners.url, "/x/y", owners.file)
        assert got["PATH_TRANSLATED"] == os.path.join(site.root, "www", "x", "y")
        assert visit(site.at(owners.url.replace("app.lscgi", "none.lscgi"))).status == 404
    site.expect("ExecCGI is off|there is no such app file")


@only_event
@pytest.mark.parametrize("line", ["LazySCGI start x", "LazySCGIApp /x", "LazySCGISendfile /"])
def test_htaccess_mounts_nothing(site, owners, line):
    """What runs something is the admin's to say."""
    owners.make(".htaccess", line + "\n")
    site.start(HTACCESS.format(root=site.root, options="+ExecCGI"))
    assert visit(site.at(owners.url)).status == 500
    site.expect("not allowed here")
    assert owners.starts() == []


@needs_root
@only_event
def test_state_of_another_users_app(site):
    """The state of an app file that isn't httpd's user's own is in the runtime folder, whatever the file's name."""
    apps = [site.app(name, options="always=vars") for name in ("one", "two")]
    for app in apps:
        os.chown(app.file, 0, 0)
    site.start(mounted(apps[0], "/one") + mounted(apps[1], "/two"))
    pids = [visit(site.at(url)).json["pid"] for url in ("/one", "/two")]
    assert pids == [app.starts()[0] for app in apps] and pids[0] != pids[1]
    names = os.listdir(os.path.join(site.root, "run", "lazyscgi"))
    assert len([name for name in names if name.startswith("app.cgi-") and name.endswith(".sock")]) == 2
    assert not os.path.exists(apps[0].state_folder)


@only_event
def test_app_files_are_read_again(site):
    """A change counts at the next request; a mistake is told, and mended without touching httpd."""
    app = site.app(options="always=vars")
    site.start(mounted(app, "/one"))
    first = visit(site.at("/one")).json["pid"]
    app.write(text="strat = x\n")
    assert visit(site.at("/one")).status == 500
    site.expect(r"app\.cgi: line 2: there is no key 'strat'; the nearest is 'start'")
    app.write(start=app.command("always=vars"), env="A=1")
    assert visit(site.at("/one")).json["pid"] != first


@only_event
def test_log_is_no_app_file(site):
    """AddHandler counts every extension of a name; what a server has printed must not be taken for settings."""
    app = site.app("app", url="/x/app/app.cgi", options="always=vars", place="www/x")
    site.start(f'<Directory "{site.root}/www/x">\nOptions +ExecCGI\nAddHandler lazyscgi .cgi\n</Directory>\n')
    shutil.copy(app.file, os.path.join(app.folder, "app.cgi.log"))
    give(os.path.join(app.folder, "app.cgi.log"))
    assert visit(site.at(app.url)).status == 200
    assert visit(site.at(app.url + ".log")).status == 403
    site.expect("this is no app file")


@only_event
def test_options_star(site):
    """OPTIONS * is httpd's own."""
    app = site.app()
    site.start(mounted(app, "/"))
    assert raw(site.httpd.port, b"OPTIONS * HTTP/1.0\r\n\r\n").split()[1] == b"200"
    assert app.starts() == []
