"""Runs one graph through every entry of a session, one line each, and prints what came out."""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

tf1 = tf.compat.v1

with tf.Graph().as_default() as graph:
    x = tf1.placeholder(tf.float32, [None], name="x")
    y = x * 3.0  # @multiply
    z = tf.reduce_sum(y)  # @sum
    step = tf1.train.get_or_create_global_step()
    up = tf1.assign_add(step, 1, use_locking=True)
    whole = tf.reduce_sum(tf.constant([1.0, 2.0]) + 1.0)
    initialize = tf1.global_variables_initializer()

one = np.array([1.0, 2.0], np.float32)
session = tf1.Session(graph=graph)
print(session.run(initialize))  # @initialize
print(session.run(z, {x: one}))  # @run
print(session.run({"y": y, "both": [z, y]}, feed_dict={x: one}))  # @structure
print(session.run([]))  # @nothing
with session.as_default():
    print(z.eval({x: one}))  # @eval
    print(initialize.run())  # @operation
fed = session.make_callable(z, feed_list=[x])
print(fed(one))  # @callable_fed
plain = session.make_callable(whole)
print(plain())  # @callable_tensor
print(session.make_callable(up.op)())  # @callable_operation
print(session.make_callable([up, whole])())  # @callable_list
optioned = session.make_callable([whole], accept_options=True)
told = tf1.RunMetadata()
options = tf1.RunOptions(output_partition_graphs=True)
print(optioned(options=options, run_metadata=told))  # @callable_options
print(len(told.step_stats.dev_stats), len(told.partition_graphs) > 0)

handle = session.partial_run_setup([y, z], [x])
print(session.partial_run(handle, y, {x: one}))  # @part_one
print(session.partial_run(handle, z))  # @part_two

options = config_pb2.CallableOptions(fetch=[z.name], feed=[x.name])
made = session._make_callable_from_options(options)
told = tf1.RunMetadata()
print(made(one), made(one, run_metadata=told))  # @made
print(made(one))  # @made_again
print(told.ByteSize())

for options, told in (
    (None, tf1.RunMetadata()),
    (tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE), tf1.RunMetadata()),
    (tf1.RunOptions(output_partition_graphs=True), tf1.RunMetadata()),
    (tf1.RunOptions(timeout_in_ms=9000), None),
):
    before = options.SerializeToString() if options else b""
    session.run(z, {x: np.ones(len(before) + 5, np.float32)}, options, told)  # @options
    after = options.SerializeToString() if options else b""
    if told is not None:
        print(bool(told.step_stats.dev_stats), len(told.partition_graphs), before == after)

interactive = tf1.InteractiveSession(graph=graph)
interactive.run(initialize)
print(z.eval({x: one}))  # @interactive
interactive.close()

with graph.as_default(), tf1.train.MonitoredSession() as monitored:
    print(monitored.run(up))  # @monitored
    print(monitored.run(up))  # @monitored_again

try:
    session.run(z)  # @error
except tf.errors.InvalidArgumentError as error:
    print(error.message)
session.close()
try:
    session.run(z, {x: one})
except RuntimeError as error:
    print(error)
