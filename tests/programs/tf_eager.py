"""Eager training loops: ``keras`` or ``v1`` optimizer, or ``none``; prints weights to the bit."""

import sys

import tensorflow as tf

tf.random.set_seed(1)
w = tf.Variable(tf.random.normal([3, 1]))
if sys.argv[1] == "keras":
    optimizer = tf.keras.optimizers.SGD(0.1)
elif sys.argv[1] == "v1":
    optimizer = tf.compat.v1.train.MomentumOptimizer(0.1, 0.9)
else:
    optimizer = None


@tf.function
def forward(x):
    return tf.matmul(x, w)


for step in range(4):
    x = tf.random.normal([5, 3])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(forward(x) ** 2)  # @loss
    [gradient] = tape.gradient(loss, [w])  # @gradient
    if optimizer is None:
        w.assign_sub(0.1 * gradient)
    else:
        optimizer.apply_gradients([(gradient, w)])  # @apply
    print(loss.numpy().tobytes().hex())
print(w.numpy().tobytes().hex())
