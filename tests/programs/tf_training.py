"""Trains with a session and prints losses and weights to the bit.

``v1|v2 ref|resource plain|loop|function``. Random operations of every kind: dropout, seeded and by
the graph's seed alone, and where asked inside of a loop or of a function.
"""

import hashlib
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
if sys.argv[1] == "v2":
    tf1.enable_control_flow_v2()
else:
    tf1.disable_control_flow_v2()
if sys.argv[2] == "resource":
    tf1.enable_resource_variables()
else:
    tf1.disable_resource_variables()

data = np.random.RandomState(1)
inputs = data.rand(16, 6).astype(np.float32)
labels = data.randint(0, 3, 16)

with tf.Graph().as_default() as graph:
    tf1.set_random_seed(7)
    x = tf1.placeholder(tf.float32, [None, 6])
    y = tf1.placeholder(tf.int64, [None])
    w1 = tf1.get_variable("w1", [6, 8])
    hidden = tf.nn.relu(tf.matmul(x, w1))  # @hidden
    hidden = tf1.nn.dropout(hidden, rate=0.5)  # @dropout

    def shake(i, h):
        with tf.control_dependencies([h]):  # or the iterations would draw in any order
            h = h + tf.random.normal(tf.shape(h), stddev=0.01)  # @shake
        return i + 1, h

    @tf.function
    def scaled(h):
        for _ in tf.range(2):
            with tf.control_dependencies([h]):
                h = h * tf.random.uniform([], 0.9, 1.1, seed=3)  # @scaled
        return h

    if sys.argv[3] == "loop":
        _, hidden = tf1.while_loop(lambda i, h: i < 3, shake, [0, hidden])
    elif sys.argv[3] == "function":
        hidden = scaled(hidden)
    else:
        _, hidden = tf1.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h * 1.1), [0, hidden])
    w2 = tf1.get_variable("w2", [8, 3])
    logits = tf.matmul(hidden, w2)
    loss = tf.reduce_mean(  # @loss
        tf1.losses.sparse_softmax_cross_entropy(y, logits, reduction="none")
    )
    train = tf1.train.AdamOptimizer(0.05).minimize(loss)  # @train
    seeded = tf.random.uniform([3], seed=5)  # @seeded
    unseeded_shape = tf.shape(tf.random.uniform([2, 2]))
    initialize = tf1.global_variables_initializer()

with tf1.Session(graph=graph) as session:
    session.run(initialize)  # @initialize
    for index in range(6):
        size = 16 if index % 3 else 12
        feeds = {x: inputs[:size], y: labels[:size]}
        value, _ = session.run([loss, train], feeds)  # @step
        drawn = session.run(seeded)  # @draw
        print(index, float(value).hex(), drawn.tobytes().hex())
    print(session.run(loss, {x: inputs, y: labels}).tobytes().hex())
    weights = session.run([w1, w2])
    print(hashlib.sha256(b"".join(item.tobytes() for item in weights)).hexdigest())
    print(session.run(unseeded_shape))
