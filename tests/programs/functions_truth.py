"""Compiled functions whose lines' values are returned as well, so that they are known."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(7)


def told(name, values):
    print(name, *(np.asarray(value).ravel().tolist() for value in values), sep="|")


@tf.function
def loops(n):
    added = tf.TensorArray(tf.int32, 0, dynamic_size=True)
    inner = tf.TensorArray(tf.int32, 0, dynamic_size=True)
    odd = tf.TensorArray(tf.int32, 0, dynamic_size=True)
    total, i = 0, 0
    while i < n:
        total = tf.add(total, 2 * i)  # @outer
        added = added.write(i, total)
        j = 0
        while j < i:
            total = tf.subtract(total, j)  # @inner
            inner = inner.write(inner.size(), total)
            j += 1
        if total % 3 == 1:
            total = tf.multiply(total, -1)  # @branch
            odd = odd.write(odd.size(), total)
        i += 1
    return total, added.stack(), inner.stack(), odd.stack()


total, added, inner, odd = loops(tf.constant(6))  # @loops
told("outer", added)
told("inner", inner)
told("branch", odd)
told("total", [total])


@tf.function(autograph=False)
def mapped(xs):
    squares = tf.map_fn(lambda x: tf.math.square(x) + 0.25, xs)  # @mapped
    return squares, tf.scan(lambda a, x: tf.tanh(a * x), squares)  # @scanned


for item in mapped(tf.constant([0.5, 1.5, -2.0])):  # @maps
    told("mapped", item)

weight = tf.Variable([[0.5], [-0.25], [0.125]])
data = tf.constant(np.random.default_rng(0).normal(size=(8, 3)), tf.float32)


@tf.function
def helper(x):
    return tf.nn.softplus(x @ weight)  # @helper


@tf.function
def train(x):
    with tf.GradientTape() as tape:
        out = helper(x)  # @call
        same = out * 1.0  # @gone
        loss = tf.reduce_mean(tf.exp(-same) + out**3 / 7.0)  # @loss
    gradient = tape.gradient(loss, weight)
    weight.assign_sub(0.1 * gradient)  # @update
    return loss


losses = []
for _ in range(4):
    losses.append(train(data))  # @trained
told("loss", losses)
with tf.GradientTape() as tape:
    made = helper(data)  # @taped
    taped = tf.reduce_sum(made)
told("made", [made])
told("gradient", [tape.gradient(taped, weight)])

generator = tf.random.Generator.from_seed(3)


@tf.function
def noisy(x):
    return x + generator.normal(x.shape)  # @generator


told("noisy", [noisy(data[0]) for _ in range(3)])  # @noisy


@tf.function
def seeded(x):
    return x + tf.random.normal(x.shape, seed=5)  # @seeded


told("seeded", [seeded(data[0]) for _ in range(3)])  # @drawn


class Dense(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4, activation="gelu")
        self.drop = keras.layers.Dropout(0.25)

    def call(self, x, training=None):
        hidden = self.drop(self.dense(x), training=training)  # @layer
        return hidden * 0.5  # @half


class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.last = Dense(), keras.layers.Dense(1)

    def call(self, x, training=None):
        return self.last(self.first(x, training=training))

    def train_step(self, pair):
        x, y = pair
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x, training=True) - y) ** 2)  # @step_loss
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(logs["loss"])


inputs = np.random.default_rng(1).normal(size=(24, 3)).astype("float32")
targets = inputs.sum(1, keepdims=True)
model, seen = Model(), Losses()
model.compile("adam")
model.fit(inputs, targets, batch_size=8, epochs=2, verbose=0, callbacks=[seen])  # @fit
told("step_loss", seen.seen)
for item in [weight, *model.weights]:
    print(np.asarray(item).tobytes().hex())
