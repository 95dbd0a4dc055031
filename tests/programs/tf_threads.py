"""Many threads run graphs at once: one session shared by some, one for each of others."""

import threading

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.enable_control_flow_v2()

graph = tf.Graph()
with graph.as_default():
    start = tf1.placeholder(tf.int32, [])

    def body(i, a):
        a = a * 2 + 1  # @body
        return i + 1, a

    result = tf1.while_loop(lambda i, a: i < 5, body, [0, start])[1]


@tf.function
def squared(x):
    return x * x  # @squared


shared = tf1.Session(graph=graph)
results = {}


def work(name):
    session = shared if name % 2 else tf1.Session(graph=graph)
    for turn in range(10):
        value = session.run(result, {start: np.int32(name)})  # @run
        results[name, turn] = int(value), int(squared(tf.constant(name)))  # @call


threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results.items()))
