"""The seed's while loop; ``v1`` or ``v2`` control flow."""

import sys

import tensorflow as tf

tf1 = tf.compat.v1
if sys.argv[1] == "v2":
    tf1.enable_control_flow_v2()
else:
    tf1.disable_control_flow_v2()


def cond(first_counter, second_counter, *args):
    return first_counter < second_counter


def body(first_counter, second_counter):
    first_counter = tf.add(first_counter, 2)  # @add
    second_counter = tf.add(second_counter, 1)
    return first_counter, second_counter


with tf.Graph().as_default():
    first_counter = tf.constant(0)
    second_counter = tf.constant(10)
    counters = tf1.while_loop(cond, body, [first_counter, second_counter])
    with tf1.Session() as sess:
        first, second = sess.run(counters)  # @run

print(first, second)
