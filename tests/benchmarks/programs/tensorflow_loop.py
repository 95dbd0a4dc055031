import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


def body(first_counter, second_counter):
    first_counter = tf.add(first_counter, 2)  # @stop
    return first_counter, tf.add(second_counter, 1)


counters = tf.while_loop(tf.less, body, [tf.constant(0), tf.constant(10)])
with tf.Session() as session:
    session.run(counters)
