"""Writes a variable in each way there is, and binds names anew."""

import keras
import tensorflow as tf

weight = tf.Variable([1.0, 2.0, 3.0], name="weight")
count = tf.Variable(0)
model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])


@tf.function
def compiled(x):
    weight.assign_add(x)
    return tf.reduce_sum(weight)


def writes():
    x = tf.constant([1.0, 1.0, 1.0])  # @begin
    weight.assign(x * 2.0)  # @assign
    weight.assign_sub(x)  # @assign_sub
    weight[1].assign(5.0)  # @slice
    tf.reduce_sum(weight)
    compiled(x)  # @compiled
    count.assign_add(1)  # @count
    return x


def trains():
    optimizer = keras.optimizers.Adam(0.1)  # @trains
    inputs = tf.ones([2, 3])
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs) ** 2)  # @loss
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)  # @apply
    model.compile("sgd", "mse")
    model.fit(inputs, tf.zeros([2, 1]), epochs=2, verbose=0)  # @fit
    return loss


def breaks():
    bad = tf.Variable([1.0, 0.0], shape=tf.TensorShape(None))  # @bad
    bad.assign([2.0, 4.0])  # @fine
    bad.assign(1.0 / (bad - 2.0))  # @inf
    bad.assign([1.0, 2.0, 9.0])  # @longer
    return bad


model(tf.ones([1, 3]))
print(writes().numpy().tolist(), weight.numpy().tolist())
print(float(trains()).hex(), model.trainable_variables[0].numpy().tobytes().hex())
print(breaks().numpy().tolist())
