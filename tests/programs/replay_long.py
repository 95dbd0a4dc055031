"""A loop that runs long, and tells nobody before."""

import sys

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


def body(i, total):
    total = total + i * i % 7  # @total
    return i + 1, total  # @next


limit = tf.placeholder(tf.int32, [])
result = tf.while_loop(lambda i, total: i < limit, body, [0, 0])
with tf.Session() as session:
    print(*map(int, session.run(result, {limit: int(sys.argv[1])})))  # @run
