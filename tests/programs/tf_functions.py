"""Calls compiled functions in every way, and prints what came out."""

import tensorflow as tf


def helper(a):
    return tf.multiply(a, 7)  # @helper


@tf.function
def counted(a, b):
    while a < b:
        a = tf.add(a, 2)  # @add
        b = tf.add(b, 1)
    if a > 5:
        a = a * 3  # @branch
    return helper(a)


@tf.function(autograph=False)
def plain(x):
    return tf.reduce_sum(x * x)  # @plain


@tf.function
def outer(x):
    return plain(x) + 1.0  # @outer


print(counted(tf.constant(0), tf.constant(10)))  # @counted
print(counted(tf.constant(4), tf.constant(6)))  # @counted_again
print(outer(tf.constant([1.0, 2.0])))  # @nested
concrete = plain.get_concrete_function(tf.TensorSpec([None], tf.float32))
print(concrete(tf.constant([3.0])))  # @concrete


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = None

    @tf.function
    def __call__(self, x):
        if self.weight is None:
            self.weight = tf.Variable(2.0)
        return x * self.weight  # @variable


module = Module()
print(module(tf.constant(3.0)))  # @module
print(module(tf.constant(4.0)))

with tf.GradientTape() as tape:
    x = tf.constant([1.0, 2.0])
    tape.watch(x)
    y = plain(x)  # @taped
print(tape.gradient(y, x))


@tf.function
def scaled(x, by=1):
    return x * by


print(scaled(tf.constant(1)))
print(scaled(tf.constant(1), by=3))  # @literal
print(scaled(tf.constant([1, 2]), by=3))  # @shape
print(scaled(tf.constant([1, 2, 4]), by=3))  # @size
print(scaled(tf.constant([1.0, 2.0, 4.0]), by=3))  # @dtype
print(scaled(tf.constant([1.0, 2.0, 4.0]), by=3))


@tf.function
def fails(x):
    return tf.debugging.check_numerics(x / 0.0, "broken")  # @broken


try:
    fails(tf.constant(1.0))  # @fails
except tf.errors.InvalidArgumentError as error:
    print(error.message)

data = tf.data.Dataset.range(4).map(lambda v: v * 2).batch(2)  # @data
print([item.numpy().tolist() for item in data])

with tf.Graph().as_default():
    z = plain(tf.constant([5.0, 6.0]))
    with tf.compat.v1.Session() as session:
        print(session.run(z))  # @session

tf.config.run_functions_eagerly(True)
print(plain(tf.constant([1.0])))  # @eagerly
