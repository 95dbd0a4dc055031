"""Loops in loops, branches, maps, scans, and gradients through them; ``v1`` or ``v2``."""

import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
if sys.argv[1] == "v2":
    tf1.enable_control_flow_v2()
else:
    tf1.disable_control_flow_v2()
tf1.enable_resource_variables()
SCALE = 10

with tf.Graph().as_default():
    x = tf1.placeholder(tf.float32, [3], name="x")

    def inner(j, b):
        b = tf.add(b, 10)  # @inner
        return j + 1, b

    def outer(i, a):
        _, a = tf1.while_loop(lambda j, b: j < 2, inner, [0, a])
        a = tf.multiply(a, 2)  # @outer
        return i + 1, a

    nested = tf1.while_loop(lambda i, a: i < 3, outer, [0, 0])[1]

    def branch():
        return tf.add(x, 1.0)  # @taken

    def other():
        return tf.multiply(x, 2.0)  # @untaken

    chosen = tf1.cond(x[0] > 2, branch, other)
    mapped = tf.map_fn(lambda e: tf.square(e), x)  # @mapped
    scanned = tf.scan(lambda a, e: a + e, x)  # @scanned

    powers = tf1.while_loop(
        lambda i, p: i < 3,
        lambda i, p: (i + 1, p * x[0]),  # @power
        [0, 1.0],
    )[1]
    slope = tf1.gradients(powers, [x])[0]  # @slope

    ratio = x / tf.constant([0.0, 1.0, 0.0])  # @ratio
    folded = tf.constant(2.0) * 3.0  # @folded
    kept = tf.identity(folded)
    parts = tf.split(x, 3)
    first, second, third = tf.split(x, 3)  # @split
    total = x[0] + x[1] + x[2]  # @total
    for _ in range(3):
        x = x * 2.0  # @updated
    text = tf.strings.as_string(first)  # @text
    large = tf.ones([20]) * first  # @large

    fed = {"x:0": np.array([3.0, 1.0, -1.0], np.float32)}
    with tf1.Session() as session:
        print(session.run(nested))  # @run_nested
        print(session.run(chosen, fed))  # @run_cond
        print(session.run(mapped, fed), session.run(scanned, fed))  # @run_maps
        print(session.run([powers, slope], fed))  # @run_gradient
        print(session.run(ratio, {"x:0": np.array([1.0, np.nan, -1.0], np.float32)}))  # @run_ratio
        print(session.run(kept))  # @run_folded
        print(session.run([first, second, third, total, x, text, large], fed))  # @run_rest
