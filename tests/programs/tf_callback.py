"""Keras's fit with a callback that computes something of its own after each batch."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(3)


class Doubles(keras.callbacks.Callback):
    total = tf.constant(1.0)

    def on_train_batch_end(self, batch, logs=None):
        self.total = tf.add(self.total, self.total)  # @double
        print(batch, float(self.total))  # @report


model = keras.Sequential([keras.layers.Dense(2)])
model.compile("sgd", "mse")
x = np.linspace(0, 1, 24, dtype="float32").reshape(8, 3)
model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=[Doubles()])  # @fit
print(tf.square(3.0).numpy())  # @after
