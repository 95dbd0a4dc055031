"""Compiled functions of every kind, and Keras. Marks are printed with truth.

A printed line is a mark, and what the marked line computed in each of its executions.
"""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(7)


def bits(array):
    return ",".join(float(item).hex() for item in np.ravel(array))


def told(mark, *values):
    print(mark, *map(bits, values))


def stack(dtype):
    return tf.TensorArray(dtype, 0, dynamic_size=True, clear_after_read=False)


x = tf.constant([3.0, 0.1, -1.7])


@tf.function
def loops(start, bound):
    doubled, inner, odd = stack(tf.float32), stack(tf.float32), stack(tf.float32)
    total, i = start, 0
    while i < bound:
        total = tf.multiply(total, 1.1)  # @f_outer
        doubled = doubled.write(i, total)
        j = 0
        while j < 2:
            total = tf.sin(total)  # @f_inner
            inner = inner.write(inner.size(), total)
            j += 1
        if i % 2 == 1:
            total = tf.add(total, 0.7)  # @f_odd
            odd = odd.write(odd.size(), total)
        i += 1
    return total, doubled.stack(), inner.stack(), odd.stack()


for number in (0.25, 2.5):
    total, doubled, inner, odd = loops(tf.constant(number), tf.constant(4))  # @function
    told("f_outer", *doubled)
    told("f_inner", *inner)
    told("f_odd", *odd)
    print("loops", bits(total))


def body(i, total, both):
    total = tf.tanh(total)  # @p_looped
    return i + 1, total, both.write(i, total)


def branching(i, a, halved):
    def even():
        half = tf.divide(a, 3.0)  # @p_even
        return half, halved.write(halved.size(), half)

    a, halved = tf.cond(tf.equal(i % 2, 0), even, lambda: (a * 2.5, halved))
    return i + 1, a, halved


@tf.function(autograph=False)
def plain(values):
    seen = tf.while_loop(lambda i, *_: i < 3, body, [0, values, stack(tf.float32)])[2]
    halves = tf.while_loop(lambda i, *_: i < 5, branching, [0, values[0], stack(tf.float32)])[2]
    return seen.stack(), halves.stack()


seen, halves = plain(x)  # @autograph_off
told("p_looped", *seen)
told("p_even", *halves)


def squared(e):
    square = tf.square(e)  # @p_mapped
    return square


def summed(a, e):
    partial = tf.add(a, e)  # @p_scanned
    return partial


@tf.function(autograph=False)
def maps(values):
    return tf.map_fn(squared, values), tf.scan(summed, values)


squares, sums = maps(x)  # @map_functions
told("p_mapped", *squares)
told("p_scanned", *sums[1:])


@tf.function
def climb(base):
    with tf.GradientTape() as tape:
        tape.watch(base)
        p = tf.ones([])
        for _ in tf.range(3):
            p = tf.multiply(p, base)  # @f_power
    return p, tape.gradient(p, base)


power, slope = climb(x[0])  # @taped
told("f_power", *(np.float32(3) ** n for n in (1, 2, 3)))
print("slope", bits(power), bits(slope))

weight = tf.Variable([1.0, 2.0, 3.0])
generator = tf.random.Generator.from_seed(3)
normal = tf.raw_ops.RandomStandardNormal


@tf.function
def update():
    kept = weight.read_value()
    noise = generator.normal([3])
    moved = tf.subtract(kept, noise)  # @f_moved
    weight.assign(tf.sin(moved))
    return moved


for _ in range(3):
    told("f_moved", update())  # @updates
print("weight", bits(weight))


@tf.function
def draws():
    drawn = normal(shape=[3], dtype=tf.float32, seed=3)  # @f_drawn
    return drawn


for _ in range(2):
    told("f_drawn", draws())  # @drawing


class Scale(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        kernel = tf.convert_to_tensor(self.scale)
        scaled = tf.multiply(x, kernel)  # @k_scaled
        return scaled


class Truth(keras.callbacks.Callback):
    """What the layer computes in each batch, by NumPy."""

    def on_train_batch_begin(self, batch, logs=None):
        if isinstance(self.model.layers[0], Scale):
            rows = inputs[batch * 4 : batch * 4 + 4]
            self.scaled.append(rows * np.asarray(self.model.layers[0].scale))

    def on_train_begin(self, logs=None):
        self.scaled, self.losses = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


inputs = np.random.default_rng(1).normal(size=(12, 3)).astype("float32")
targets = inputs.sum(1, keepdims=True)
truth = Truth()
options = {"batch_size": 4, "verbose": 0, "shuffle": False, "callbacks": [truth]}
model = keras.Sequential([keras.Input((3,)), Scale(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(inputs, targets, **options)  # @keras_fit
for scaled in truth.scaled:
    told("k_scaled", scaled)


class Trained(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, pair):
        x, y = pair
        with tf.GradientTape() as tape:
            error = self(x) - y
            loss = tf.nn.l2_loss(error)  # @k_loss
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


trained = Trained()
trained.compile("adam")
trained.fit(inputs, targets, **options)  # @keras_step
for loss in truth.losses:
    told("k_loss", loss)
for item in (*model.weights, *trained.weights):
    print(np.asarray(item).tobytes().hex())
