"""Processes: find them by what they are, end them by pid, wait for conditions."""
import glob
import os
import signal
import time


def wait_until(condition, timeout=20, what="condition"):
    """Poll until the condition holds and return what it gave."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what}"
        time.sleep(0.01)


def read(path):
    """A file of /proc as bytes, empty if the process is gone or not ours."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def all_pids():
    """Every pid there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat(pid):
    """The fields of /proc/PID/stat that follow the name, [] if there is no process."""
    return read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()


def alive(pid):
    """Whether the process exists and is no zombie."""
    return stat(pid)[:1] not in ([], [b"Z"])


def exe(pid):
    """The program that a process runs."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def with_variable(name, value, pids=None):
    """The live processes whose environment holds name=value."""
    word = f"{name}={value}".encode()
    pids = all_pids() if pids is None else pids
    return [pid for pid in pids if word in read(f"/proc/{pid}/environ").split(b"\0") and alive(pid)]


def running(folder):
    """The live processes that run a program kept in the folder."""
    return [pid for pid in all_pids() if exe(pid).startswith(folder + "/") and alive(pid)]


def stopped(pid):
    """Whether every thread of the process stands still: a signal takes its time to reach them."""
    threads = glob.glob(f"/proc/{pid}/task/*/stat")
    return threads and all(read(path).rpartition(b") ")[2][:1] == b"T" for path in threads)


def kill(pids, number=signal.SIGKILL):
    """Send a signal to each pid, and if it is SIGKILL or SIGSTOP wait until it has worked."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    if number == signal.SIGKILL:
        wait_until(lambda: not any(alive(pid) for pid in pids), what=f"the end of {pids}")
    if number == signal.SIGSTOP:
        wait_until(lambda: all(stopped(pid) for pid in pids), what=f"the stop of {pids}")
