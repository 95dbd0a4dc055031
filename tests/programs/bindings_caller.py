import tensorflow as tf
from bindings_helper import double


@tf.function
def run(x):
    return double(x)


print(float(run(tf.constant(3.0))))
