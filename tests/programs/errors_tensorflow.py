"""Operations of TensorFlow and Keras that raise, each in a ``case_x``; its line is marked ``x``."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import weakref

import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
kept = []
"""Of tensors that nobody may keep once their error is handled."""


def case_eager():
    x = tf.ones((2, 3))  # @eager_x
    h = tf.nn.relu(x)  # @eager_h
    w = tf.ones((2, 3))  # @eager_w
    kept.append(weakref.ref(h))
    return tf.matmul(h, w)  # @eager


def case_concat():
    a, b = tf.ones((2, 3)), tf.ones((2, 4))
    return tf.concat([a, b], 0)  # @concat


def case_dtype():
    data = np.ones((2, 3))  # @dtype_data
    x = tf.constant(data)
    w = tf.ones((2, 3))
    return x + w  # @dtype


def case_reshape():
    x = tf.ones((2, 3))
    return tf.reshape(x, (4, 2))  # @reshape


def case_gather():
    table = tf.ones((3,))
    return tf.gather(table, [5])  # @gather


def case_fit():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])  # @fit_model
    model.compile("sgd", "mse")
    data, labels = np.ones((8, 5)), np.ones((8, 3))  # @fit_data
    model.fit(data, labels, verbose=0)  # @fit


def case_labels():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    data, labels = np.ones((8, 4)), np.full((8,), 7)
    model.fit(data, labels, verbose=0)  # @labels


def case_functional():
    inputs = keras.Input((8, 8))
    flat = keras.layers.Flatten()(inputs)  # @functional_flat
    layer = keras.layers.Conv2D(3, 3)  # @functional_layer
    return layer(flat)  # @functional


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(3)
        self.second = keras.layers.Dense(2)  # @subclass_made
        self.second.build((None, 5))

    def call(self, x):
        h = self.first(x)  # @subclass_h
        return self.second(h)  # @subclass


def case_subclass():
    net = Net()
    data = tf.ones((2, 4))
    return net(data)  # @subclass_call


@tf.function
def traced(a, b):
    c = a * 2.0  # @trace_c
    return tf.matmul(c, b)  # @trace


def case_trace():
    x, y = tf.ones((2, 3)), tf.ones((4, 5))  # @trace_values
    return traced(x, y)  # @trace_call


@tf.function(input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None, None])])
def compiled(a, b):
    c = a * 2.0  # @run_c
    return tf.matmul(c, b)  # @run


def case_run():
    x, y = tf.ones((2, 3)), tf.ones((4, 5))
    return compiled(x, y)  # @run_call


def case_build():
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [None, 3], name="x")  # @build_x
        h = x * 2  # @build_h
        w = tf.constant(np.ones((4, 2), "f4"))
        return tf.matmul(h, w)  # @build


def case_session():
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, None], name="x")  # @session_x
        h = tf.nn.relu(x)  # @session_h
        w = tf.constant(np.ones((4, 2), "f4"))
        y = tf.matmul(h, w)  # @session
        session.run(y, {x: np.ones((2, 3))})


def case_feed():
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="features")  # @feed_x
        session.run(x * 2, {x: np.ones((2, 4))})  # @feed


def case_not_raised_by_tensorflow():
    raise ValueError("Incompatible shapes: [2,3] vs. [2,4]")


def case_not_of_these_kinds():
    return tf.constant(1) // tf.constant(0)
