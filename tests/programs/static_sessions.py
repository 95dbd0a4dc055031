"""Every way to run a session and every control flow; ``v1`` or ``v2``. Marks are printed with truth.

A printed line is a mark, and what the marked line computed in each of its executions.
"""

import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
(tf1.enable_control_flow_v2 if sys.argv[1] == "v2" else tf1.disable_control_flow_v2)()
tf1.enable_resource_variables()
tf1.disable_eager_execution()
tf1.set_random_seed(7)


def bits(array):
    return ",".join(float(item).hex() for item in np.ravel(array))


def told(mark, *values):
    print(mark, *map(bits, values))


def stack(dtype):
    return tf.TensorArray(dtype, 0, dynamic_size=True, clear_after_read=False)


x = tf1.placeholder(tf.float32, [3], name="x")
fed = {x: [3.0, 0.1, -1.7]}


def looping(i, total, seen):
    total = tf.tanh(total)  # @looped
    return i + 1, total, seen.write(i, total)


def inner(j, b, seen):
    b = tf.add(b, 10)  # @inner
    return j + 1, b, seen.write(seen.size(), b)


def outer(i, a, both, seen):
    _, a, seen = tf1.while_loop(lambda j, b, seen: j < 2, inner, [0, a, seen])
    a = tf.multiply(a, 2)  # @outer
    return i + 1, a, both.write(i, a), seen


def branching(i, a, halved, seen):
    def even():
        half = tf.divide(a, 3.0)  # @even
        return half, halved.write(halved.size(), half)

    a, halved = tf1.cond(tf.equal(i % 2, 0), even, lambda: (a * 2.5, halved))
    return i + 1, a, halved, seen.write(i, a)


def squared(e):
    square = tf.square(e)  # @mapped
    return square


def summed(a, e):
    partial = tf.add(a, e)  # @scanned
    return partial


def power(i, p):
    p = tf.multiply(p, base)  # @power
    return i + 1, p


base = x[0]
looped = tf1.while_loop(lambda i, *_: i < 4, looping, [0, 0.25, stack(tf.float32)])
nested = tf1.while_loop(
    lambda i, *_: i < 3, outer, [0, 1, stack(tf.int32), stack(tf.int32)], name="nested"
)
branched = tf1.while_loop(
    lambda i, *_: i < 5, branching, [0, 1.0, stack(tf.float32), stack(tf.float32)]
)
mapped = tf.map_fn(squared, x)
scanned = tf.scan(summed, x)
powers = tf1.while_loop(lambda i, p: i < 3, power, [0, 1.0])[1]
slope = tf1.gradients(powers, x)[0]

weight = tf1.get_variable("weight", initializer=tf.constant([1.0, 2.0, 3.0]))
kept = weight.read_value()
noise = tf1.random_shuffle(x, seed=3)  # @noise
moved = tf.subtract(kept, noise)  # @moved
train = tf1.assign(weight, tf.sin(moved))

exponent = tf.exp(x)  # @called
cosine = tf.cos(kept)  # @unfed
default = tf1.placeholder_with_default(tf.constant([0.5, 0.25]), [2])
folded = tf.atan(default)  # @folded
first = tf.multiply(x, 3.0)  # @first
resumed = tf1.placeholder(tf.float32, [])
second = tf.add(resumed, tf.reduce_sum(first))  # @second
watched = tf.sinh(x)  # @monitored

with tf1.Session() as session:
    session.run(tf1.global_variables_initializer())
    for _ in range(2):
        _, total, seen = session.run([*looped[:2], looped[2].stack()], fed)  # @session
        told("looped", *seen)
    multiply = session.make_callable(exponent, feed_list=[x])
    for number in (0.5, 1.25):
        told("called", multiply([number, 1.0, -number]))  # @callable
    told("unfed", session.make_callable(cosine)())  # @callable_unfed
    told("folded", session.run(folded))  # @run_folded
    handle = session.partial_run_setup([first, second], [x, resumed])
    told("first", session.partial_run(handle, first, fed))  # @partial
    told("second", session.partial_run(handle, second, {resumed: 2.0}))  # @partial_resumed
    _, _, both, seen = session.run([*nested[:2], nested[2].stack(), nested[3].stack()])  # @nested
    told("outer", *both)
    told("inner", *seen)
    _, _, halved, seen = session.run([*branched[:2], *(a.stack() for a in branched[2:])])  # @cond
    told("even", *halved)
    print("branched", bits(seen))
    told("mapped", *session.run(mapped, fed))  # @map_fn
    told("scanned", *session.run(scanned, fed)[1:])  # @scan
    third, steep = session.run([powers, slope], fed)  # @gradients
    told("power", *(np.float32(3) ** n for n in (1, 2, 3)))
    print("slope", bits(third), bits(steep))
    for _ in range(3):
        noisy, changed, _ = session.run([noise, moved, train], fed)  # @variables
        told("noise", noisy)
        told("moved", changed)
    print("weight", bits(session.run(weight)))

with tf1.train.MonitoredSession() as session:
    told("monitored", session.run(watched, fed))  # @run_monitored
