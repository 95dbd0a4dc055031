import tensorflow as tf


@tf.function
def function(x, n=1):
    return x * n


function(tf.ones([1]))  # @first
function(tf.ones([2]))  # @shape
function(tf.ones([2]), 3)  # @value
