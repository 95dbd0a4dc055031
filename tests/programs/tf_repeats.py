"""Graphs run again and again from several lines, in an order that the argument draws; says which."""

import random
import sys

import tensorflow as tf

tf1 = tf.compat.v1
drawn = random.Random(int(sys.argv[1]))

with tf.Graph().as_default():
    x = tf1.placeholder(tf.float32, [None])
    doubled = tf.multiply(x, 2.0)  # @doubled
    added = tf.add(doubled, 1.0)  # @added
    session = tf1.Session()


@tf.function
def squared(values):
    return tf.square(values)  # @squared


@tf.function
def cubed(values):
    return values * values * values  # @cubed


def run(which, size):
    values = [float(size)] * size
    if which == "doubled":
        return session.run(doubled, {x: values})  # @run_doubled
    if which == "added":
        return session.run(added, {x: values})  # @run_added
    if which == "again":
        return session.run(doubled, {x: values})  # @run_again
    if which == "squared":
        return squared(tf.constant(values))  # @call_squared
    if which == "twice":
        return squared(tf.constant(values))  # @call_twice
    return cubed(tf.constant(values))  # @call_cubed


for _ in range(120):
    which = drawn.choice(["doubled", "added", "again", "squared", "twice", "cubed"])
    size = drawn.choice([1, 2])
    for _ in range(drawn.choice([1, 1, 2, 5])):
        print(which, size, float(run(which, size)[0]))  # @loop
