"""A loop that goes round 3 times in the first run and 7 times in those after it, until a file is there."""

import os
import sys

import tensorflow as tf

tf1 = tf.compat.v1
over = sys.argv[1]


def body(i):
    return [tf.add(i, 1)]  # @add


with tf.Graph().as_default():
    count = tf1.placeholder(tf.int32, [])
    (added,) = tf.while_loop(lambda i: i < count, body, [0])
    with tf1.Session() as session:
        print(session.run(added, {count: 3}))
        results = {7}
        while not os.path.exists(over):
            results.add(int(session.run(added, {count: 7})))
        results.add(int(session.run(added, {count: 7})))
        print(results)
