"""The seed's TensorFlow half; its argument chooses the older kind of control flow (v1)."""

import sys

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
(tf.disable_control_flow_v2 if sys.argv[1:] == ["v1"] else tf.enable_control_flow_v2)()

first_counter = tf.constant(0)
second_counter = tf.constant(10)


def cond(first_counter, second_counter, *args):
    return first_counter < second_counter  # @cond


def body(first_counter, second_counter):
    first_counter = tf.add(first_counter, 2)  # @add
    second_counter = tf.add(second_counter, 1)  # @second
    return first_counter, second_counter


c1, c2 = tf.while_loop(cond, body, [first_counter, second_counter])

with tf.Session() as sess:
    counter_1_res, counter_2_res = sess.run([c1, c2])  # @run

print(counter_1_res)  # @printed
print(counter_2_res)
