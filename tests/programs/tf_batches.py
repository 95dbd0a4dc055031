"""Batches from outside, through a compiled function and through eager operations; how many stay alive."""

import gc
import weakref

import numpy as np
import tensorflow as tf

BATCHES, ROWS, COLUMNS = 100, 1024, 1024  # of 4 MB each

weight = tf.Variable(tf.ones((COLUMNS, 1)))


@tf.function
def compiled(x):
    return tf.reduce_sum(tf.matmul(x, weight))


def eager(x):
    return tf.reduce_sum(tf.matmul(x, tf.ones((COLUMNS, 1))))


for run in (compiled, eager):
    alive = []
    for number in range(BATCHES):
        batch = tf.constant(np.full((ROWS, COLUMNS), number, "float32"))
        run(batch)
        alive.append(weakref.ref(batch))
    del batch
    gc.collect()
    print(run.__name__ if run is eager else "compiled", sum(ref() is not None for ref in alive))
