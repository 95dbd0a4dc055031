"""A frame full of TensorFlow's and Keras's values, to look at, and one while a graph is built."""

import keras
import tensorflow as tf

from graphdebug.runtime import presentation

presentation.install()


def show():
    small = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    scalar = tf.constant(2.5)
    image = tf.reshape(tf.range(64000.0), [64, 1000])
    words = tf.constant(["a", "ü"])
    variable = tf.Variable([0.5, 1.5], name="weights")
    layer = keras.Variable([[1.0]])
    keras_input = keras.Input((3,), name="features")
    ragged = tf.ragged.constant([[1, 2], [3]])
    sparse = tf.sparse.SparseTensor([[0, 1]], [1.0], [2, 3])
    tensors = [image, scalar]
    with tf.GradientTape() as tape:
        print("ready", len(locals()))  # @stop
    print("watched", len(tape.watched_variables()))


def build(variable):
    graph = tf.Graph()
    with graph.as_default():
        counter = tf.constant(0, name="counter")
        rows = tf.compat.v1.placeholder(tf.float32, [None, 3], "rows")
        unknown = tf.compat.v1.placeholder(tf.float32, None, "unknown")
        total = tf.add(counter, 2, name="total")
        before = len(graph.get_operations())
        print("building", len(locals()))  # @building
        print("added", len(graph.get_operations()) - before)


show()
build(tf.Variable([1.0]))
