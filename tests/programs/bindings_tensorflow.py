import sys

import tensorflow as tf


def both(x):
    return tf.square(x)  # @both


@tf.function
def converted(x):
    y = x + 1.0  # @converted
    return both(y)


@tf.function(autograph=False)
def unconverted(x):
    return x * 2.0  # @unconverted


def loop(x):
    return tf.while_loop(lambda i: i < 3.0, lambda i: (i + 1.0,), [x])  # @loop


def eager(x):
    return x - 1.0  # @eager


if "eagerly" in sys.argv:
    tf.config.run_functions_eagerly(True)
for value in (1.0, 2.0):
    tensor = tf.constant(value)
    converted(tensor)
    unconverted(tensor)
    eager(both(tensor))
print("done")
