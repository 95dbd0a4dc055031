"""Runs whose nodes can't be held: each line says why not."""

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

tf.disable_eager_execution()
x = tf.placeholder(tf.float32, [2], name="x")
fed = {x: [1.0, 2.0]}


@tf.function(experimental_attributes={"_noinline": True})
def opaque(v):
    return tf.square(v)  # @opaque


def drawing(i, total):
    drawn = tf.random_uniform([2], seed=5)  # @overlapping
    return i + 1, total + drawn


squared = opaque(x)
drawn = tf.while_loop(lambda i, total: i < 3, drawing, [0, x])[1]
timed = tf.add(x, 1.0)  # @timed
part = tf.multiply(x, 3.0)  # @partial
own = tf.subtract(x, 1.0)  # @own
held = tf.negative(x)  # @held
nothing = tf.group(held)  # @nothing

with tf.Session() as session:
    print(session.run(squared, fed))  # @run_opaque
    print(session.run(drawn, fed).shape)  # @run_overlapping
    print(session.run(timed, fed, options=tf.RunOptions(timeout_in_ms=60000)))  # @run_timed
    handle = session.partial_run_setup([part], [x])
    print(session.partial_run(handle, part, fed))  # @run_partial
    made = session._make_callable_from_options(CallableOptions(feed=[x.name], fetch=[own.name]))
    print(made(np.array([1, 2], np.float32)))  # @run_own
    print(session.run([held, nothing], fed)[0])  # @run_held
