"""Ctrl-C while the graph runs, or its kernels' only thread is taken; ``interrupted`` asks for it."""

import os
import signal

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


def body(i, n):
    n = tf.add(n, 2.0)  # @add
    return i + 1, n


other = tf.constant(20) + 1
last = tf.while_loop(lambda i, n: i < 8, body, [0, tf.random_uniform([], seed=1)])[1]
config = tf.ConfigProto(inter_op_parallelism_threads=1)
caught = 0


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


with tf.Session(config=config) as session:
    try:
        print(float(session.run(last)).hex())  # @run
    except KeyboardInterrupt:
        caught += 1
    print(float(session.run(last)).hex(), caught, session.run(other))
