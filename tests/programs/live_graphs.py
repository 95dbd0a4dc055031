"""What runs inside of sessions, with the truth about each watched line printed; ``v1`` or ``v2``."""

import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
(tf1.enable_control_flow_v2 if sys.argv[1] == "v2" else tf1.disable_control_flow_v2)()
tf1.enable_resource_variables()
tf1.disable_eager_execution()
tf1.set_random_seed(7)


def numbers(array):
    return " ".join(float(item).hex() for item in np.ravel(array))


def record(dtype):
    return tf.TensorArray(dtype, 0, dynamic_size=True, clear_after_read=False)


x = tf1.placeholder(tf.float32, [3], name="x")
fed = {x: [3.0, 1.0, -1.0]}


def inner(j, b, seen):
    b = tf.add(b, 10)  # @inner
    return j + 1, b, seen.write(seen.size(), b)


def outer(i, a, seen):
    _, a, seen = tf1.while_loop(lambda j, b, seen: j < 2, inner, [0, a, seen])
    return i + 1, tf.multiply(a, 2), seen


nested = tf1.while_loop(lambda i, a, seen: i < 3, outer, [0, 0, record(tf.int32)])


def branching(i, a, seen):
    def even():
        return tf.add(a, 1.5)  # @even

    a = tf1.cond(tf.equal(i % 2, 0), even, lambda: a * 2.0)
    return i + 1, a, seen.write(i, a)


branched = tf1.while_loop(lambda i, a, seen: i < 5, branching, [0, 1.0, record(tf.float32)])


def squared(e):
    return tf.square(e)  # @mapped


def summed(a, e):
    return tf.add(a, e)  # @scanned


mapped = tf.map_fn(squared, x)
scanned = tf.scan(summed, x)


def power(i, p):
    p = tf.multiply(p, x[0])  # @power
    return i + 1, p


powers = tf1.while_loop(lambda i, p: i < 3, power, [0, 1.0])[1]
slope = tf1.gradients(powers, [x])[0]

weight = tf1.get_variable("weight", initializer=tf.constant([1.0, 2.0, 3.0]))
noise = tf1.random_normal([3], seed=3)  # @noise
moved = tf.add(weight, noise)  # @moved
train = tf1.assign(weight, moved * 0.5)  # @train
total = tf.reduce_sum(x)  # @total
first, second, third = tf.split(x, 3)  # @split
parts = first + third

with tf1.Session() as session:
    session.run(tf1.global_variables_initializer())
    print("inner", numbers(session.run(nested[2].stack())))  # @run_nested
    print("branched", numbers(session.run(branched[2].stack())))  # @run_branched
    print("mapped", numbers(session.run(mapped, fed)))  # @run_mapped
    print("scanned", numbers(session.run(scanned, fed)))  # @run_scanned
    print("powers", numbers(session.run(powers, fed)))  # @run_powers
    print("slope", numbers(session.run([powers, slope], fed)[1]))  # @run_slope
    for _ in range(3):
        noisy, changed, _ = session.run([noise, moved, train])  # @run_train
        print("noise", numbers(noisy), "moved", numbers(changed))
    print("weight", numbers(session.run(weight)))
    add = session.make_callable(total, feed_list=[x])
    print("total", numbers(add([1.0, 2.0, 4.0])))  # @call_fed
    unfed = session.make_callable(moved)
    print("moved", numbers(unfed()))  # @call_unfed
    print("parts", numbers(session.run(parts, fed)))  # @run_parts
    print("eval", numbers(total.eval(fed)))  # @eval

with tf1.train.MonitoredSession() as session:
    print("monitored", numbers(session.run(moved)), numbers(session.run(total, fed)))  # @monitored
