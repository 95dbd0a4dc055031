"""Makes NaN and Inf in eager code: forward, backward, an update, a number; in a function; in a session."""

import tensorflow as tf

tf1 = tf.compat.v1


def in_forward(w):
    with tf.GradientTape() as tape:
        scaled = w * 2.0
        logs = tf.math.log(scaled)  # @forward
        loss = tf.reduce_sum(logs)
    return tape.gradient(loss, w)


def in_backward(w):
    with tf.GradientTape() as tape:
        root = tf.sqrt(w)  # @backward
        loss = tf.reduce_sum(tf.where(w >= 0, root, w))
    return tape.gradient(loss, w)  # @gradient


def read_late():
    root = tf.sqrt(tf.constant([-1.0, 4.0]))  # @late
    print(float(tf.reduce_sum(root)) > 0)  # @read


@tf.function
def step(x):
    share = x / tf.reduce_sum(x)  # @share
    state.assign_sub(share)


in_forward(tf.Variable([0.0, 1.0, 2.0]))
in_backward(tf.Variable([0.0, 1.0, 4.0]))
read_late()
state = tf.Variable([1.0, 2.0])
step(tf.constant([1.0, -1.0]))  # @step
with tf.Graph().as_default(), tf1.Session() as session:
    scores = tf.exp(tf1.placeholder(tf.float32, [2], name="x"))  # @scores
    total = tf.reduce_sum(scores)
    print(session.run(total, {"x:0": [1.0, 1000.0]}))  # @run
