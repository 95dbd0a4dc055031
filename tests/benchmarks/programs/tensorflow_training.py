"""TensorFlow's training steps: ``tensorflow_training.py SOCKET PEER``, as many as the socket asks for.

Workloads: ``session``, ``function`` and ``eager``, an MLP's step, and ``keras``, a CNN under ``fit``.
Answers as ``torch_training.py`` does.
"""

import contextlib
import sys
import tempfile
import time
from multiprocessing.connection import Client
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
STATM = Path("/proc/self/statm")
SIZES = (784, 256), (256, 256), (256, 10)


def elsewhere():
    return None  # @elsewhere


def numbers():
    random = np.random.RandomState(0)
    return random.rand(64, 784).astype("float32"), random.randint(0, 10, 64)


def loss_of(x, y, weights, biases):
    hidden = tf.nn.relu(tf.matmul(x, weights[0]) + biases[0])
    hidden = tf.nn.relu(tf.matmul(hidden, weights[1]) + biases[1])
    logits = tf.matmul(hidden, weights[2]) + biases[2]
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))


def session(peer):
    tf1.enable_resource_variables()
    images, labels = numbers()
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
    running = tf1.Session(graph=graph)
    running.run(initialize)
    fed = {x: images, y: labels}
    if peer == "full_trace":
        options = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE)

        def traced():
            return running.run([loss, train], fed, options=options, run_metadata=tf1.RunMetadata())

        return lambda count: [traced() for _ in range(count)][-1][0]
    return lambda count: [running.run([loss, train], fed) for _ in range(count)][-1][0]


def function(peer, compiled=tf.function):
    tf.random.set_seed(0)
    images, labels = map(tf.constant, numbers())
    weights = [tf.Variable(tf.random.normal(size, stddev=0.05)) for size in SIZES]
    biases = [tf.Variable(tf.zeros(size[1:])) for size in SIZES]
    variables = weights + biases

    @compiled
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y, weights, biases)
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss

    return lambda count: [step(images, labels) for _ in range(count)][-1]


def eager(peer):
    return function(peer, lambda step: step)


def keras_cnn(peer):
    keras.utils.set_random_seed(0)
    random = np.random.RandomState(0)
    images = random.rand(512, 28, 28, 1).astype("float32")
    labels = random.randint(0, 10, 512)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(32)

    def fit(count):
        return model.fit(data, steps_per_epoch=count, verbose=0).history["loss"][-1]

    return fit


WORKLOADS = {"session": session, "function": function, "eager": eager, "keras": keras_cnn}


def profiled(directory):
    @contextlib.contextmanager
    def around():
        tf.profiler.experimental.start(directory)
        try:
            yield
        finally:
            tf.profiler.experimental.stop(save=False)

    return around


def sees(peer, name):
    return peer not in ("full_trace",) or name == "session"


def main():
    address, peer = sys.argv[1:]
    made, current = None, ""
    with Client(address, "AF_UNIX") as link, tempfile.TemporaryDirectory() as directory:
        if peer == "tfdbg2":
            tf.debugging.experimental.enable_dump_debug_info(
                directory, tensor_debug_mode="NO_TENSOR"
            )
        around = profiled(directory) if peer == "profiler" else contextlib.nullcontext
        while wanted := link.recv():
            name, count = wanted
            if not sees(peer, name):
                link.send(None)
                continue
            if name != current:
                made, current = WORKLOADS[name](peer), name
            cpu, wall = time.process_time(), time.perf_counter()
            with around():
                loss = made(count)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            held = int(STATM.read_text().split()[1]) * 4096
            link.send((cpu / count, wall / count, held, float(loss).hex()))


if __name__ == "__main__":
    main()
