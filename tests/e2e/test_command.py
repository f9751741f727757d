"""lazyscgi as a command: what its owner runs in a shell."""
import os
import re
import subprocess

import pytest

from test_app_file import MISTAKES


@pytest.fixture
def run(binary_under_test, tmp_path):
    """Run the program outside a CGI request, in a folder of its own."""
    environment = {"PATH": os.environ["PATH"]}

    def call(*arguments, **options):
        return subprocess.run([binary_under_test, *arguments], cwd=tmp_path, env=environment, capture_output="stdout" not in options,
                              text=True, timeout=20, check=False, **options)

    return call


@pytest.fixture
def write(tmp_path):
    """Write an app file."""
    def put(text, mode=0o755):
        path = tmp_path / "app.cgi"
        path.write_text("#!/bin/lazyscgi\n" + text)
        path.chmod(mode)
        return path

    return put


def test_usage(run):
    """Without arguments it tells a newcomer what to do."""
    result = run()
    assert result.returncode == 0 and result.stderr == ""
    for word in ("#!", "start =", "chmod 755", "--check"):
        assert word in result.stdout


def test_version(run):
    """It knows its version."""
    assert re.fullmatch(r"lazyscgi \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["app.cgi"], ["--check"], ["--check", "a", "b"], ["--version", "x"]])
def test_wrong_arguments(run, arguments):
    """What it doesn't know is an error."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (1, "") and "lazyscgi" in result.stderr


def settings(text):
    """The pairs that --check prints."""
    return dict(line.split(" = ", 1) for line in text.splitlines() if line[:1] != "#")


def test_check(run, write, tmp_path):
    """--check says how a file is understood, defaults and absolute paths included."""
    write("start = ./run\nsocket = sub/own.sock\npatience = 1500ms\nmax-body = 2K\nenv = A=1\n")
    for name in ("app.cgi", str(tmp_path / "app.cgi")):
        result = run("--check", name)
        assert (result.returncode, result.stderr) == (0, "")
        state = f"{tmp_path}/.lazyscgi-{os.uname().nodename}"
        assert settings(result.stdout) == {
            "start": "./run", "socket": f"{tmp_path}/sub/own.sock", "directory": str(tmp_path), "state-dir": state,
            "log": f"{state}/app.cgi.log", "env": "A=1", "start-timeout": "30s", "patience": "1500ms",
            "response-timeout": "1m", "max-body": "2048", "hang-limit": "3"}


def test_run_from_a_shell(run, write):
    """./app.cgi in a shell does the same as --check."""
    write("start = true\n")
    assert run("./app.cgi").stdout == run("--check", "app.cgi").stdout != ""


def test_check_understands_itself(run, write):
    """What --check prints is an app file that means the same."""
    write("start = true\nstate-dir = x\nenv = A=1\nenv = B=2 3\npatience = 61s\n")
    first = run("--check", "app.cgi").stdout
    write(first)
    assert run("--check", "app.cgi").stdout == first


def test_check_hints(run, write):
    """A file that can't do what its owner hopes for is right, with a hint."""
    write("socket = 127.0.0.1:9\n", mode=0o644)
    result = run("--check", "app.cgi")
    assert result.returncode == 0
    assert "# no 'start'" in result.stdout and "# not executable" in result.stdout


@pytest.mark.parametrize("name", MISTAKES)
def test_check_mistake(run, write, tmp_path, name):
    """A mistake is named by file and line."""
    text, line, key = MISTAKES[name]
    write(text)
    result = run("--check", "app.cgi")
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"lazyscgi: app\.cgi: line {line}: .*{key}.*\n", result.stderr)


def test_check_missing(run):
    """A file that isn't there is an error."""
    result = run("--check", "nothing")
    assert result.returncode == 1 and re.match("lazyscgi: nothing: .*No such file", result.stderr)


@pytest.mark.parametrize("argument", ["--keys", "--version", None])
def test_full_disk(run, argument):
    """Output that can't be written is an error."""
    with open("/dev/full", "w") as full:
        assert run(*filter(None, [argument]), stdout=full).returncode == 1
