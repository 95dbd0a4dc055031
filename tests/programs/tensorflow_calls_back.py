"""TensorFlow, called by the user, calls the user: each time by the same thread, and passes @note."""

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def note(what):
    print(what)  # @note


class Fed:
    def __array__(self, dtype=None, copy=None):
        note("fed")
        return np.ones(2, "float32")


def called(x):
    note("called")
    return x


@tf.custom_gradient
def doubled(x):
    def gradient(upstream):
        note("gradient")
        return upstream * 2

    return x * 2, gradient


@tf.function(autograph=False)
def function(x):
    note("traced")
    return doubled(x)


with tf.Graph().as_default():
    x = tf1.placeholder(tf.float32, [2])
    y = tf1.numpy_function(called, [x], tf.float32)
    config = tf1.ConfigProto(inter_op_parallelism_threads=-1)  # in the caller's thread
    with tf1.Session(config=config) as session:
        session.run(y, {x: np.ones(2, "float32")})
        session.run(x + 1, {x: Fed()})
one, pair = tf.constant(1.0), tf.constant([1.0, 2.0])
function(one)
with tf.GradientTape() as tape:
    tape.watch(pair)
    function(pair)
function(one)
