"""A compiled function fails while it runs."""

import traceback

import tensorflow as tf


@tf.function
def ratio(x):
    return x / 0.0


@tf.function
def fails(x):
    y = ratio(x)  # @y
    return tf.debugging.check_numerics(y, "broken")  # @checked


try:
    fails(tf.constant(1.0))
except tf.errors.InvalidArgumentError as error:
    print(traceback.format_exc())
    print(error.message, error.args, error.node_def, error.op)
