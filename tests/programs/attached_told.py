"""Does what it is told, a word a line on its standard input, and says how it stands after each."""

import json
import sys
import threading


def own_hook(kind, error, traceback):
    print(f"own hook: {error}", flush=True)


def own_thread_hook(arguments):
    print(f"own hook: {arguments.exc_value}", flush=True)


def chain(before):
    def hook(*raised):
        print("chained", flush=True)
        before(*raised)

    sys.excepthook = hook


def turn():
    return sys.gettrace() is not None  # @turn


def fail(text):
    raise ValueError(text)  # @fail


def in_thread(work, *arguments):
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    thread.join()


def work(asked):
    for word in sys.stdin:
        if word == "work\n":
            turn()
        elif word == "new\n":
            in_thread(fail, "in a new thread")
        elif word == "old\n":
            asked.set()
            old.join()
        elif word == "hook\n":
            chain(sys.excepthook)
        elif word == "main\n":
            fail("in the main thread")
        seen = []
        in_thread(lambda: seen.append(turn()))  # noqa: B023 (it is joined)
        hooks = sys.excepthook is own_hook and threading.excepthook is own_thread_hook
        stands = {"traced": turn(), "thread": seen[0], "hooks": hooks}
        print(json.dumps(stands), flush=True)


def wait_to_fail(asked):
    asked.wait()
    fail("in an old thread")


sys.excepthook, threading.excepthook = own_hook, own_thread_hook
asked = threading.Event()
old = threading.Thread(target=wait_to_fail, args=(asked,), daemon=True)
old.start()
work(asked)
