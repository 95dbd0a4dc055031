"""Trains by hand and with an optimizer, a few steps, with tensors small enough to be kept."""

import keras
import tensorflow as tf

keras.utils.set_random_seed(3)
w, b = tf.Variable([[0.5], [-0.25]]), tf.Variable([0.0])
optimizer = keras.optimizers.SGD(0.1)
x, y = tf.constant([[1.0, 2.0], [3.0, -1.0]]), tf.constant([[1.0], [0.0]])

for epoch in range(4):
    with tf.GradientTape() as tape:
        h = tf.matmul(x, w) + b  # @hidden
        loss = tf.reduce_mean(tf.square(h - y))  # @loss
    gradients = tape.gradient(loss, [w, b])  # @gradient
    optimizer.apply(gradients, [w, b])  # @apply
    print(epoch, float(loss).hex())  # @report
