"""Two threads, each of which runs the same line of a graph with a value of its own."""

import threading

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()

x = tf.placeholder(tf.int32, [])
squared = x * x  # @squared
session = tf.Session()
together = threading.Barrier(2)


def work(value):
    together.wait()
    found = session.run(squared, {x: value})  # @run
    results[value] = int(found)  # @after


results = {}
threads = [threading.Thread(target=work, args=(value,)) for value in (3, 4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results.items()))
