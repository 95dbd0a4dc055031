"""Breaks one function of graphdebug's, named by its module and name, and goes on as if nothing was."""

import importlib
import sys

import tensorflow as tf

if "graphdebug.runtime.boot" in sys.modules:
    module, _, name = sys.argv[1].rpartition(".")
    holder = importlib.import_module(f"graphdebug.runtime.backends.tensorflow.{module}")
    *path, name = name.split(":")
    for part in path:
        holder = getattr(holder, part)

    def broken(*args, **kwargs):
        raise ZeroDivisionError("a fault put in by the test")

    setattr(holder, name, broken)

tf1 = tf.compat.v1


@tf.function
def doubled(x):
    return x * 2  # @doubled


with tf.Graph().as_default():
    x = tf1.placeholder(tf.float32, [2])
    y = x + 1.0  # @add
    with tf1.Session() as session:
        told = tf1.RunMetadata()
        print(session.run(y, {x: [1.0, 2.0]}, run_metadata=told))  # @run
        print(told.ByteSize())
        print(session.run(y, {x: [3.0, 4.0]}))
        print(session.make_callable(y, feed_list=[x])([5.0, 6.0]))
for value in range(3):
    print(doubled(tf.constant(value)).numpy())  # @call
print(doubled(tf.constant(1.5)).numpy())
if "graphdebug.runtime.boot" in sys.modules:
    from tensorflow.python.client.session import BaseSession
    from tensorflow.python.eager.polymorphic_function.polymorphic_function import Function

    hooked = [f for f in (BaseSession.run, Function.__call__) if "before" in f.__globals__]
    print("hooked", len(hooked), file=sys.stderr)
