"""Trains a Keras model and prints losses and a hash of its weights, to the bit."""

import hashlib
import sys

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(3)
data = np.random.RandomState(0)
x = data.rand(40, 5).astype("float32")
y = data.randint(0, 3, 40)


class Noisy(keras.layers.Layer):
    def call(self, inputs, training=None):
        return inputs * 2.0 + 0.5  # @noisy


class Custom(keras.Model):
    def __init__(self):
        super().__init__()
        self.layers_in_order = [
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dropout(0.4),
            Noisy(),
            keras.layers.Dense(3),
        ]

    def call(self, inputs, training=None):
        for layer in self.layers_in_order:
            inputs = layer(inputs, training=training)  # @layer
        return inputs

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=logits)  # @loss
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients(pairs)  # @apply
        return {"loss": loss}


model = Custom()
model.compile(
    optimizer=keras.optimizers.Adam(0.01),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    run_eagerly="eagerly" in sys.argv,
)
history = model.fit(x, y, batch_size=16, epochs=3, verbose=0)  # @fit
print([float(value).hex() for value in history.history["loss"]])
print(float(model.evaluate(x, y, verbose=0)).hex())  # @evaluate
print(model.predict(x[:2], verbose=0).tobytes().hex())  # @predict
digest = hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights()))
print(digest.hexdigest())
