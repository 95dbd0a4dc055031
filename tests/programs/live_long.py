"""A loop that runs for a while, over random numbers and a variable; writes what comes out to a file.

Arguments: the kind of control flow, how often the loop goes round, how often it is run, the file.
"""

import sys

import tensorflow.compat.v1 as tf

tf.disable_eager_execution()
tf.enable_resource_variables()
(tf.enable_control_flow_v2 if sys.argv[1] == "v2" else tf.disable_control_flow_v2)()
rounds, runs = int(sys.argv[2]), int(sys.argv[3])

weight = tf.get_variable("weight", initializer=tf.constant([1.0, 2.0]))


def body(i, total):
    drawn = tf.random_uniform([2], seed=5)
    total = tf.add(total, drawn)  # @add
    total = tf.multiply(total, 1.01)  # @scale
    return i + 1, total


total = tf.while_loop(lambda i, total: i < rounds, body, [0, weight], parallel_iterations=1)[1]
train = tf.assign(weight, total * 0.5)

results = []
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(runs):
        results.append(session.run([total, train]))  # @run
    results.append(session.run(weight))

with open(sys.argv[4], "w") as file:
    file.write("".join(float(x).hex() + "\n" for item in results for row in item for x in
                       (row if hasattr(row, "__len__") else [row])))  # fmt: skip
print("written")
