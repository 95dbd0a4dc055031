"""An MLP's training step of about 2 ms: ``static_mlp.py session|function|eager SOCKET [stops]``.

Runs as many steps as it is asked for on the socket, and answers with the CPU time of the whole
process and the wall time that they took, in seconds a step. With ``stops``, each step is timed only
until graphdebug has recorded it and is about to stop.
"""

import sys
import time
from multiprocessing.connection import Client

import numpy as np
import tensorflow as tf

kind, address, *stops = sys.argv[1:]
tf1 = tf.compat.v1
random = np.random.RandomState(0)
images = random.rand(64, 784).astype("float32")
labels = random.randint(0, 10, 64)
SIZES = (784, 256), (256, 256), (256, 10)


def loss_of(x, y, weights, biases):
    hidden = tf.nn.relu(tf.matmul(x, weights[0]) + biases[0])
    hidden = tf.nn.relu(tf.matmul(hidden, weights[1]) + biases[1])  # @hidden
    logits = tf.matmul(hidden, weights[2]) + biases[2]
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))


def elsewhere(x):
    return tf.square(x)  # @elsewhere


def session_step():
    with tf.Graph().as_default():
        other = elsewhere(tf.constant([1.0, 2.0]))
        with tf1.Session() as session:
            session.run(other)
    with tf.Graph().as_default() as graph:
        tf1.set_random_seed(0)
        x = tf1.placeholder(tf.float32, [None, 784])
        y = tf1.placeholder(tf.int64, [None])
        normal = tf1.random_normal_initializer(stddev=0.05)
        weights = [tf1.get_variable(f"w{i}", s, initializer=normal) for i, s in enumerate(SIZES)]
        zeros = tf1.zeros_initializer()
        biases = [tf1.get_variable(f"b{i}", s[1:], initializer=zeros) for i, s in enumerate(SIZES)]
        loss = loss_of(x, y, weights, biases)
        train = tf1.train.GradientDescentOptimizer(0.1).minimize(loss)
        initialize = tf1.global_variables_initializer()
    session = tf1.Session(graph=graph)
    session.run(initialize)
    return lambda: session.run([loss, train], {x: images, y: labels})[0]


def function_step(compiled=tf.function):
    tf.function(elsewhere)(tf.constant([1.0, 2.0]))
    tf.random.set_seed(0)
    weights = [tf.Variable(tf.random.normal(size, stddev=0.05)) for size in SIZES]
    biases = [tf.Variable(tf.zeros(size[1:])) for size in SIZES]
    variables = weights + biases
    x, y = tf.constant(images), tf.constant(labels)

    @compiled
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y, weights, biases)
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss

    return lambda: step(x, y).numpy()


def now():
    return time.process_time(), time.perf_counter()


reached = [(0.0, 0.0)]


def note_stops():
    """Note when graphdebug comes to a stop, without being on the stack where that begins."""
    from graphdebug.runtime.stops import Stops

    went_on = Stops.went_on  # the first that it does for a stop

    def noted(self):
        went_on(self)
        reached[0] = now()

    Stops.went_on = noted


if kind == "session":
    tf1.enable_resource_variables()
    step = session_step()
elif kind == "function":
    step = function_step()
else:
    step = function_step(lambda function: function)
for _ in range(5):
    step()
if stops:
    note_stops()
with Client(address, "AF_UNIX") as link:
    while count := link.recv():
        cpu = wall = 0.0
        begin = now()
        for _ in range(count):
            if stops:
                begin = now()
            loss = step()
            end = reached[0] if stops else now()
            if stops:
                cpu, wall = cpu + end[0] - begin[0], wall + end[1] - begin[1]
        if not stops:
            cpu, wall = end[0] - begin[0], end[1] - begin[1]
        link.send((cpu / count, wall / count, float(loss)))
