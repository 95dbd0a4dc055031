"""A session whose graph puts numbers in other shapes; six runs."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

x = tf.placeholder(tf.float32, [None], name="x")
doubled = x * 2.0  # @doubled
table = tf.reshape(doubled, [2, 3])  # @table
rooted = tf.sqrt(table)  # @rooted
deep = tf.expand_dims(rooted, 1)  # @deep
total = tf.reduce_sum(tf.exp(deep))  # @total


with tf.Session() as session:
    for turn in range(6):
        value = session.run(total, {x: np.arange(6, dtype=np.float32) + turn})  # @run
        print(turn, float(value).hex())
