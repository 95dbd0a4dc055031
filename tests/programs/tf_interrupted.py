"""A signal handler of its own raises wherever our hooks run, in turn; each run after that is whole.

What reached the program is counted, and printed with how often the handler raised and the last result.
"""

import signal
import sys

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


class Interrupts:
    """Has the handler run at the given place of our hooks: as functions begin, and as C's end."""

    def __init__(self, left):
        self.left = left

    def __call__(self, frame, event, argument):
        if event in ("call", "c_return") and "/graphdebug/runtime/" in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGUSR1)


def give_up(number, frame):
    raise TimeoutError


signal.signal(signal.SIGUSR1, give_up)
x = tf.placeholder(tf.float32, [None, 2])
weight = tf.Variable([[1.0], [2.0]], use_resource=True)
loss = tf.reduce_mean(tf.matmul(x, weight))
session = tf.Session()
session.run(weight.initializer)
places, reached, everywhere = 0, 0, False
while not everywhere:
    places += 1
    interrupts = Interrupts(places)
    sys.setprofile(interrupts)
    try:
        session.run(loss, {x: [[1.0, 1.0]]})
    except TimeoutError:
        reached += 1
    finally:
        sys.setprofile(None)
    everywhere = interrupts.left > 0
    result = session.run(loss, {x: [[1.0, float(places)]]})  # @whole
print(places - 1, reached, result)
