"""Real servers: uwsgi with a Flask application, and Fossil."""
import os
import shutil
import subprocess

import pytest

from client import Later, visit
from httpd import free_port, user
from process import wait_until

FLASK = """
import os, sys
from flask import Flask, Response, request
print("loaded", file=sys.stderr)
app = application = Flask(__name__)

@app.route("/")
def home():
    return {"pid": os.getpid(), "root": request.script_root}

@app.route("/length", methods=["POST"])
def length():
    return str(len(request.get_data()))

@app.route("/stream")
def stream():
    return Response((str(number) * 50000 for number in range(10)), mimetype="text/plain")
"""

UWSGI = ("exec uwsgi --master --need-app --die-on-term --plugin python3 --wsgi-file flask_app.py --scgi-socket "
         '"$LAZYSCGI_SOCKET" --buffer-size 65535 --threads 4 --socket-timeout 30')


def needs(program):
    """Skip a test without a program."""
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


def address(form):
    """No socket key for Unix, a free port for TCP."""
    return f"127.0.0.1:{free_port()}" if form == "tcp" else None


@pytest.fixture(params=["unix", "tcp"])
def flask(make, request):
    """uwsgi with a Flask application."""
    app = make(text="")
    app.make("flask_app.py", FLASK)
    return app.write(start=UWSGI, socket=address(request.param))


def loaded(app):
    """How often the application was loaded."""
    return app.log().count("loaded")


@needs("uwsgi")
def test_flask(flask):
    """Cold, warm, bodies both ways, killed, cold again."""
    assert visit(flask.at("/")).json["root"] == flask.url
    assert visit(flask.at("/length"), "POST", b"x" * 3_000_000).text == "3000000"
    assert visit(flask.at("/length"), "POST", iter([b"x" * 1000] * 5)).text == "5000"
    assert len(visit(flask.at("/stream")).body) == 500_000
    assert visit(flask.at("/"), "HEAD").status == 200
    assert visit(flask.at("/none")).status == 404
    assert loaded(flask) == 1
    flask.kill()
    assert visit(flask.at("/")).status == 200
    assert loaded(flask) == 2


@needs("uwsgi")
def test_flask_herd(flask):
    """Fifty at once start it once."""
    visits = [Later(flask.at("/")) for _ in range(50)]
    assert {each.reply.status for each in visits} == {200}
    assert loaded(flask) == 1


@needs("uwsgi")
def test_flask_touched(flask):
    """A touch restarts it, all of it."""
    visit(flask.at("/"))
    flask.wait_outcome("up")
    old = set(flask.pids())
    flask.touch()
    assert visit(flask.at("/")).status == 200
    wait_until(lambda: not old & set(flask.pids()), what="the end of the old uwsgi")


@needs("uwsgi")
def test_flask_broken(make, log):
    """An application that can't be loaded is a failed start."""
    app = make(text="")
    app.make("flask_app.py", "raise SystemError('broken')")
    app.write(start=UWSGI)
    assert visit(app.at("/")).status in (502, 503)
    log.expect(app.complaint())
    assert "broken" in app.log()


@pytest.fixture
def fossil(make):
    """Fossil with a new repository."""
    app, port = make(text=""), free_port()
    environment = {"HOME": app.folder, "USER": "owner", "PATH": os.environ["PATH"]}
    subprocess.run(["fossil", "init", "repo.fossil"], cwd=app.folder, env=environment, check=True, capture_output=True,
                   user=user().pw_uid, group=user().pw_gid)
    app.write(start=f"exec fossil server --scgi --localhost --port {port} repo.fossil", socket=f"127.0.0.1:{port}",
              env=f"HOME={app.folder}\nenv = USER=owner")
    return app


@needs("fossil")
def test_fossil(fossil):
    """Pages, a HEAD, a form; killed and back."""
    page = visit(fossil.at("/timeline"))
    assert page.status == 200 and "initial empty check-in" in page.text
    assert fossil.url in page.text
    assert visit(fossil.at("/timeline"), "HEAD").status == 200
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert "Login" in visit(fossil.at("/login"), "POST", b"u=x&p=y&in=1", form).text
    fossil.kill()
    assert visit(fossil.at("/timeline")).status == 200


@needs("fossil")
def test_fossil_herd(fossil):
    """Thirty at once at a cold Fossil that has recorded its URL (its first requests race for that: UNIQUE constraint failed)."""
    visit(fossil.at("/timeline"))
    fossil.kill()
    visits = [Later(fossil.at("/timeline")) for _ in range(30)]
    assert {each.reply.status for each in visits} == {200}
    assert fossil.log().count("Listening") == 2
