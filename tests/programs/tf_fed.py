"""A run that is fed small arrays and fetches what nodes in the middle make."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

x = tf.placeholder(tf.float32, [None], name="x")  # @x
scale = tf.placeholder_with_default(2.0, [], name="scale")  # @scale
doubled = tf.multiply(x, scale, name="doubled")  # @doubled
more = tf.add(doubled, x, name="more")  # @more
total = tf.reduce_sum(more, name="total")  # @total
words = tf.placeholder(tf.string, [2], name="words")  # @words
joined = tf.strings.join([words, words], name="joined")  # @joined


def main(session, turn):
    fed = np.array([1.0, 2.0, 3.0], np.float32) + turn
    named = np.array(["a", "b"], object)
    results = session.run([total, doubled, joined], {x: fed, scale: 3.0, words: named})  # @run
    print(turn, *(np.asarray(item).tolist() for item in results))


with tf.Session() as session:
    for turn in range(3):
        main(session, turn)
