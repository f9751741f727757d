"""A small Flask application that says which process answers."""
import os
import time

from flask import Flask

application = Flask(__name__)
born = time.monotonic()
answered = 0


@application.route("/")
def hello():
    global answered
    answered += 1
    return (
        "Hello from Flask.\n"
        f"process: {os.getpid()}\n"
        f"group: {os.getpgrp()}\n"
        f"answer: {answered}\n"
        f"up: {time.monotonic() - born:.3f} s\n"
    ), {"Content-Type": "text/plain; charset=utf-8"}
