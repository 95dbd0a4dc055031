"""Nodes to stop at by name: of eager code, of a compiled function, of a session's loop."""

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def told(name, *values):
    print(name, *(np.asarray(value).tobytes().hex() for value in values))


x, w = tf.constant([[1.0, 2.0]]), tf.Variable([[0.5, 0.0], [0.25, 1.0]])
with tf.GradientTape() as tape:
    y = tf.matmul(x, w)  # @eager
    loss = tf.reduce_sum(tf.raw_ops.Square(x=y, name="squared"))  # @square
gradient = tape.gradient(loss, w)  # @gradient
told("eager", loss, gradient)


@tf.function
def compiled(a):
    for _ in tf.range(3):
        a = tf.tanh(a) * 2.0  # @tanh
    return tf.matmul(a, w)  # @inside


told("compiled", compiled(x))  # @call


def body(i, total):
    total = tf.add(total, 1.5)  # @added
    return i + 1, total  # @counted


with tf.Graph().as_default():
    tf1.disable_control_flow_v2()
    _, sum_of_all = tf1.while_loop(lambda i, total: i < 4, body, [0, 0.0])  # @loop
    with tf1.Session() as session:
        told("session", session.run(sum_of_all))  # @run
        told("session", session.run(tf.constant(3.0) + 1.0))  # @other
