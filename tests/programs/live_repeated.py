"""The seed's loop, run again and again; arguments: the kind of control flow, how often it is run."""

import sys

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
(tf.enable_control_flow_v2 if sys.argv[1] == "v2" else tf.disable_control_flow_v2)()


def body(first_counter, second_counter):
    first_counter = tf.add(first_counter, 2)  # @add
    second_counter = tf.add(second_counter, 1)
    return first_counter, second_counter


counters = tf.while_loop(lambda a, b: a < b, body, [tf.constant(0), tf.constant(10)])

with tf.Session() as sess:
    for _ in range(int(sys.argv[2])):
        first, second = sess.run(counters)  # @run
        print(first, second)  # @printed
