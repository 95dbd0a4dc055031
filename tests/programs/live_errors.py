"""A node in a loop that fails in its third iteration: what the program sees of that."""

import sys
import traceback

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
(tf.enable_control_flow_v2 if sys.argv[1] == "v2" else tf.disable_control_flow_v2)()


def body(i):
    i = tf.add(i, 1)  # @add
    with tf.control_dependencies([tf.debugging.assert_less(i, 3, message="too many")]):
        return tf.identity(i)  # @checked


last = tf.while_loop(lambda i: i < 10, body, [0])


def run():
    with tf.Session() as session:
        return session.run(last)  # @run


def entries(error):
    while error is not None:
        print(type(error).__name__, error.__suppress_context__)
        for frame in traceback.extract_tb(error.__traceback__):
            print(frame.filename, frame.lineno, frame.name)
        error = error.__cause__ or error.__context__


try:
    run()  # @calls
except tf.errors.InvalidArgumentError as error:
    print(error)
    entries(error)
print(tf.Session().run(tf.constant(1) + 1))
