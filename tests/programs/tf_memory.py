"""Many calls of a compiled function, with eager operations between them: memory may not grow."""

import gc
import sys
import threading
import time

import tensorflow as tf

QUIET = 1.0
"""Seconds without a block less, after which no more are expected to go."""
DEADLINE = 30.0


def settled():
    """Blocks that Python holds, once what waited to be sent is sent."""
    turn, until = threading.Event(), time.monotonic() + DEADLINE
    least, fell = sys.maxsize, time.monotonic()
    while time.monotonic() < min(until, fell + QUIET):
        gc.collect()
        blocks = sys.getallocatedblocks()
        if blocks < least:
            least, fell = blocks, time.monotonic()
        turn.wait(0.02)
    return least


weight = tf.Variable(tf.ones((8, 8)))


@tf.function
def train(x):
    weight.assign_sub(0.01 * weight)
    return tf.reduce_sum(tf.matmul(x, weight))


def run(calls):
    for number in range(calls):
        total = train(tf.fill((2, 8), float(number % 7)))
        tf.add(total, 1.0)


calls = int(sys.argv[1])
run(calls)
before = settled()
run(calls)
print("grown", settled() - before)
