"""Plays many cases on several scenes at once, and keeps the score."""
import concurrent.futures
import contextlib
import os
import queue
import threading
import time
import traceback

from answer import Fault

SHOWN = 8  # failures told in full, of each row


class Score:
    """What passed and failed, in rows."""

    def __init__(self):
        self.rows, self.passed, self.failed, self.skipped = {}, 0, 0, 0
        self.begin, self.lock = time.monotonic(), threading.Lock()

    def add(self, row, outcome):
        """A case went well; `outcome` says how."""
        with self.lock:
            counts = self.rows.setdefault(row, {})
            counts[outcome] = counts.get(outcome, 0) + 1
            self.passed += 1

    def fail(self, row, case, why):
        """A case did not."""
        with self.lock:
            counts = self.rows.setdefault(row, {})
            counts["FAILED"] = counts.get("FAILED", 0) + 1
            self.failed += 1
            if counts["FAILED"] <= SHOWN:
                print(f"FAILED - {row}: {case}: {why}", flush=True)

    def skip(self, row, why):
        """Cases could not be tried here."""
        print(f"SKIPPED - {row}: {why}", flush=True)
        with self.lock:
            self.rows.setdefault(row, {})["skipped"] = 1
            self.skipped += 1

    def table(self):
        """The rows, and the last line."""
        print(f"\n{'what was done':<46} {'cases':>6}  how it ended")
        for row, counts in self.rows.items():
            outcomes = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(counts.items()))
            print(f"{row:<46} {sum(counts.values()):>6}  {outcomes}")
        print(f"\n{self.skipped} skipped\nTook {time.monotonic() - self.begin:.0f} s.")
        print(f"{self.passed} passed, {self.failed} failed")


class Stage:
    """Scenes of one kind, one for each worker."""

    def __init__(self, score, scenes):
        self.score, self.first, self.free = score, scenes[0], queue.SimpleQueue()
        self.count = len(scenes)
        for scene in scenes:
            self.free.put(scene)

    def play_one(self, play, row, case):
        """Play a case on a free scene."""
        scene = self.free.get()
        try:
            outcome = play(scene, *case)
            if outcome is not None:
                self.score.add(row, outcome)
        except Exception as error:
            self.score.fail(row, case, error if isinstance(error, Fault) else traceback.format_exc())
            scene.wipe()
        finally:
            self.free.put(scene)

    def play(self, play, cases):
        """Play cases, each of them a row and arguments; `play` returns how it went, or None if there was nothing to try."""
        workers = concurrent.futures.ThreadPoolExecutor(self.count)
        try:
            list(workers.map(lambda case: self.play_one(play, case[0], case[1:]), cases))
        finally:
            workers.shutdown(cancel_futures=True)


@contextlib.contextmanager
def staged(score, make, workers=None):
    """A stage of scenes that `make` makes; they are put away at the end."""
    scenes = [make() for _ in range(workers or 2 * (os.cpu_count() or 2))]
    try:
        yield Stage(score, scenes)
    finally:
        for scene in scenes:
            scene.remove()
