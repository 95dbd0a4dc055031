"""Two sessions, each with a loop in a graph of its own, run at once from two threads."""

import threading

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
together = threading.Barrier(2)
results = {}


def body(n):
    n = tf.add(n, tf.constant(1))  # @body
    return n


def work(start):
    with tf.Graph().as_default(), tf.Session() as session:
        loop = tf.while_loop(lambda n: n < start + 5, body, [start])
        together.wait()
        results[start] = session.run(loop)  # @run


threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results.items()))
