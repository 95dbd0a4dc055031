"""A session with a state, random draws, and arrays of every size; three runs."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

x = tf.placeholder(tf.float32, [None, 30], name="x")
counter = tf.get_variable("counter", [], initializer=tf.zeros_initializer())
noise = tf.random.normal([30], seed=3)  # @noise
shifted = x + noise  # @shifted
wide = tf.matmul(shifted, tf.ones([30, 4000]))  # @wide
first, second = tf.split(shifted, 2, axis=1)  # @split
tall = tf.random.normal([300, 100], seed=4)  # @tall
total = tf.reduce_sum(wide) + tf.reduce_sum(first * second) + tall[0, 0]  # @total
with tf.control_dependencies([total]):
    counted = tf.assign_add(counter, 1.0)  # @counted


def main():
    offset = 5
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for turn in range(3):
            feeds = {x: np.full((200, 30), turn + offset, np.float32)}
            results = session.run([total, counted], feeds)  # @run
            print(turn, *(float(item).hex() for item in results))  # @after


main()
