"""NaN and Inf in TensorFlow: each ``fault_x`` has a fault on the line marked so, ``fixed_x`` is its twin.

Its arguments, ``eager`` and ``graphs``, are the kinds that run; it prints what each comes to.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


def x(*values):
    return tf.constant(values or (0.0, 1.0, 2.0))


def train(w, loss_of, steps=3, optimizer=None, lr=0.01):
    optimizer = optimizer or keras.optimizers.SGD(lr)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = loss_of(w)
        gradients = tape.gradient(loss, [w])
        optimizer.apply_gradients(zip(gradients, [w], strict=True))
    return loss


def scale(*values):
    return tf.Variable(values or (1.0, 2.0, 3.0))


class Eager:
    def fault_log_of_zero():
        return train(scale(), lambda w: tf.reduce_mean(tf.math.log(w * x())))  # @fault

    def fixed_log_of_zero():
        return train(scale(), lambda w: tf.reduce_mean(tf.math.log(tf.maximum(w * x(), 1e-6))))

    def fault_masked_quotient():
        def loss(w):
            total = x() * tf.stop_gradient(w)
            return tf.reduce_sum(tf.where(total > 0, w / total, 0.0))  # @fault

        return train(scale(0.0, 1.0, 2.0), loss)

    def fixed_masked_quotient():
        def loss(w):
            return tf.reduce_sum(tf.math.divide_no_nan(w, x() * tf.stop_gradient(w)))

        return train(scale(0.0, 1.0, 2.0), loss)

    def fault_masked_log():
        def loss(w):
            root = tf.math.log(w)  # @fault
            return tf.reduce_sum(tf.where(w > 0, root, tf.zeros(3)))

        return train(scale(0.0, 1.0, 4.0), loss)

    def fixed_masked_log():
        def loss(w):
            root = tf.math.log(tf.where(w > 0, w, tf.ones(3)))
            return tf.reduce_sum(tf.where(w > 0, root, tf.zeros(3)))

        return train(scale(0.0, 1.0, 4.0), loss)

    def fault_norm_at_zero():
        def loss(w):
            distance = tf.norm(w * tf.zeros(3))  # @fault
            return distance + tf.reduce_sum(w)

        return train(scale(), loss)

    def fixed_norm_at_zero():
        return train(scale(), lambda w: tf.norm(w * x() + 1e-6) + tf.reduce_sum(w))

    def fault_cross_entropy_by_hand():
        def loss(w):
            p, y = tf.sigmoid(w * 200), x(0.0, 1.0, 1.0)
            return -tf.reduce_mean(y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))  # @fault

        return train(scale(), loss)

    def fixed_cross_entropy_by_hand():
        y = x(0.0, 1.0, 1.0)
        return train(
            scale(),
            lambda w: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, w * 200)),
        )

    def fault_softmax_by_hand():
        def loss(w):
            scores = tf.exp(w * 100)  # @fault
            return (scores / tf.reduce_sum(scores))[0]

        return train(scale(), loss)

    def fixed_softmax_by_hand():
        return train(scale(), lambda w: tf.nn.softmax(w * 100)[0])

    def fault_row_masked_whole():
        def loss(w):
            masked = tf.where(x() > 5, w, float("-inf"))
            return tf.reduce_sum(tf.nn.softmax(masked) * w)  # @fault

        return train(scale(), loss)

    def fixed_row_masked_whole():
        def loss(w):
            masked = tf.where(x() > 0, w, float("-inf"))
            return tf.reduce_sum(tf.nn.softmax(masked) * w)

        return train(scale(), loss)

    def fault_update_overflows():
        w = scale()
        optimizer = keras.optimizers.SGD(1e38)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w * w * 100)
        optimizer.apply(tape.gradient(loss, [w]), [w])  # @fault
        return w

    def fixed_update_overflows():
        return train(scale(), lambda w: tf.reduce_sum(w * w * 100), lr=1e-6)

    def fault_empty_mean():
        w = scale()
        optimizer = tf1.train.GradientDescentOptimizer(0.1)
        for _ in range(2):
            with tf.GradientTape() as tape:
                chosen = tf.boolean_mask(w, w > 10)
                loss = tf.reduce_mean(chosen)  # @fault
            optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        return w

    def fixed_empty_mean():
        w = scale()
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.boolean_mask(w, w > 1.5))
        optimizer = tf1.train.GradientDescentOptimizer(0.1)
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        return w

    def fault_by_hand():
        w = scale(-1.0, 1.0, 2.0)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(w**1.5)  # @fault
            w.assign_sub(0.1 * tape.gradient(loss, w))
        return w

    def fixed_by_hand():
        w = scale(-1.0, 1.0, 2.0)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.abs(w) ** 1.5)
            w.assign_sub(0.1 * tape.gradient(loss, w))
        return w

    def fault_evaluation():
        best = np.inf
        for batch in tf.data.Dataset.from_tensor_slices([[1.0, 0.0], [2.0, 3.0]]):
            score = tf.reduce_sum(batch / tf.reduce_min(batch))  # @fault
            best = min(best, float(score))
        return best

    def fixed_evaluation():
        best = np.inf
        for batch in tf.data.Dataset.from_tensor_slices([[1.0, 0.5], [2.0, 3.0]]):
            score = tf.reduce_sum(batch / tf.reduce_min(batch))
            best = min(best, float(score))
        return best

    def fault_data():
        images = x(1.0, np.nan, 2.0)
        return train(scale(), lambda w: tf.reduce_sum(w * images))  # @fault

    def fixed_data():
        images = tf.boolean_mask(x(1.0, np.nan, 2.0), [True, False, True])
        return train(scale(1.0, 2.0), lambda w: tf.reduce_sum(w * images))

    def fault_layer():
        model = keras.Sequential(
            [
                keras.layers.Dense(2, kernel_initializer="ones"),
                keras.layers.Lambda(lambda h: tf.math.log(h)),  # @fault
            ]
        )
        inputs = tf.constant([[0.0, 0.0], [1.0, 2.0]])
        model(inputs)
        return train(model.trainable_variables[0], lambda w: tf.reduce_mean(model(inputs)))

    def fixed_layer():
        model = keras.Sequential(
            [
                keras.layers.Dense(2, kernel_initializer="ones"),
                keras.layers.Lambda(lambda h: tf.nn.softplus(h)),
            ]
        )
        inputs = tf.constant([[0.0, 0.0], [1.0, 2.0]])
        model(inputs)
        return train(model.trainable_variables[0], lambda w: tf.reduce_mean(model(inputs)))


sessions = []
"""None is gone before the program ends."""


def session(build, runs=3, **feeds):
    """Runs what ``build`` makes of a placeholder, in a graph of its own."""
    with tf.Graph().as_default():
        fetched = build(tf1.placeholder(tf.float32, [3], name="x"))
        with tf1.Session() as running:
            sessions.append(running)
            running.run(tf1.global_variables_initializer())
            for _ in range(runs):
                found = running.run(fetched, {"x:0": feeds.get("x", [0.0, 1.0, 2.0])})
    return found[0]


def trained(loss_of):
    def build(x):
        w = tf1.get_variable("w", initializer=[1.0, 2.0, 3.0], use_resource=True)
        loss = loss_of(x, w)
        return loss, tf1.train.GradientDescentOptimizer(0.1).minimize(loss)

    return build


def stepping(loss_of):
    """Steps of a compiled function."""
    w, optimizer = scale(), keras.optimizers.SGD(0.01)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = loss_of(x, w)
        optimizer.apply(tape.gradient(loss, [w]), [w])
        return loss

    for _ in range(3):
        step(x())
    return w


def fitted(layer):
    model = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones"), layer])
    model.compile("sgd", "mse")
    data = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32)
    model.fit(data, data, epochs=3, batch_size=1, shuffle=False, verbose=0)
    return model.trainable_variables[0]


class Graphs:
    def fault_session_log():
        return session(trained(lambda x, w: tf.reduce_mean(tf.math.log(x * w))))  # @fault

    def fixed_session_log():
        return session(trained(lambda x, w: tf.reduce_mean(tf.math.log(x * w + 1.0))))

    def fault_session_quotient():
        def score(x):
            share = x / tf.reduce_sum(x * 0.0)  # @fault
            return tf.reduce_sum(share), x + 1.0

        return session(score)

    def fixed_session_quotient():
        def score(x):
            share = x / tf.reduce_sum(x)
            return tf.reduce_sum(share), x + 1.0

        return session(score)

    def fault_session_loop():
        def grow(i, value):
            return i + 1, tf.exp(value)  # @fault

        def looped(x):
            return [tf1.while_loop(lambda i, v: i < 6, grow, [0, tf.reduce_sum(x)])[1] - 1.0]

        return session(looped)

    def fixed_session_loop():
        def grow(i, value):
            return i + 1, tf.tanh(value)

        def looped(x):
            return [tf1.while_loop(lambda i, v: i < 6, grow, [0, tf.reduce_sum(x)])[1] - 1.0]

        return session(looped)

    def fault_session_data():
        def score(x):
            return [tf.reduce_sum(x * 2.0)]  # @fault

        return session(score, x=[1.0, np.nan, 2.0])

    def fixed_session_data():
        return session(lambda x: [tf.reduce_sum(x * 2.0)], x=[1.0, 0.0, 2.0])

    def fault_function_masked():
        def loss(x, w):
            return tf.reduce_sum(tf.where(x > 0, w / x, 0.0))  # @fault

        return stepping(loss)

    def fixed_function_masked():
        return stepping(lambda x, w: tf.reduce_sum(tf.math.divide_no_nan(w, x)))

    def fault_function_loop():
        def loss(x, w):
            total = tf.reduce_sum(w)
            for _ in tf.range(8):
                total = total * total  # @fault
            return total / tf.reduce_sum(w)

        return stepping(loss)

    def fixed_function_loop():
        def loss(x, w):
            total = tf.reduce_sum(w)
            for _ in tf.range(8):
                total = tf.tanh(total)
            return total / tf.reduce_sum(w)

        return stepping(loss)

    def fault_keras_layer():
        return fitted(keras.layers.Lambda(lambda h: tf.math.log(h)))  # @fault

    def fixed_keras_layer():
        return fitted(keras.layers.Lambda(lambda h: tf.nn.softplus(h)))

    def fault_called_function():
        @tf.function
        def logs(h):
            return tf.math.log(h)  # @fault

        return train(scale(), lambda w: tf.reduce_mean(logs(w * x())))

    def fixed_called_function():
        @tf.function
        def logs(h):
            return tf.math.log(h + 1.0)

        return train(scale(), lambda w: tf.reduce_mean(logs(w * x())))

    def fixed_mask_that_is_meant():
        @tf.function
        def masked(h):
            return tf.where(h > 1.5, h, float("-inf"))

        return train(scale(), lambda w: tf.nn.softmax(masked(w * x()))[2])


if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    for kind in sys.argv[1:]:
        for name, function in vars({"eager": Eager, "graphs": Graphs}[kind]).items():
            if name.startswith(("fault_", "fixed_")):
                print(kind, name, np.asarray(function()).tobytes().hex())
