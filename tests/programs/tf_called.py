"""A compiled function that is called three times with other numbers."""

import tensorflow as tf


@tf.function
def summed(x):
    doubled = x * 2.0  # @doubled
    return tf.reduce_sum(doubled)  # @summed


for turn in range(3):
    value = summed(tf.constant([1.0, 2.0]) + float(turn))  # @call
    print(turn, float(value))
