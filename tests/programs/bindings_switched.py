import os

import tensorflow as tf


@tf.function
def run(x):
    return x + 1.0  # @body


getattr(tf.config, "run_functions_" + os.environ.get("NO_SUCH_VARIABLE", "eagerly"))(True)
for value in (1.0, 2.0):
    run(tf.constant(value))
