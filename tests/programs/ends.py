"""Notes in a file which threads of the debugger's wait for its others when the program is over."""

import sys
import threading

import pydevd

wait = pydevd.PyDB._PyDB__wait_for_threads_to_finish


def noted(self, timeout):
    with open(sys.argv[1], "a") as file:
        print(threading.current_thread().name, file=file)
    wait(self, timeout)


pydevd.PyDB._PyDB__wait_for_threads_to_finish = noted
