"""Graphs that fail, each in its own way; prints every error whole."""

import tensorflow as tf

tf1 = tf.compat.v1
tf1.enable_control_flow_v2()


def told(run):
    try:
        print("no error", run())
    except Exception as error:
        op = getattr(error, "op", None)
        print(type(error).__name__, op and (op.name, op.type), getattr(error, "error_code", None))
        print(error)


with tf.Graph().as_default():
    x = tf1.placeholder(tf.float32, [None])
    checked = tf.debugging.check_numerics(1.0 / x, "not a number here")  # @checked

    def shrink(i, a):
        with tf.control_dependencies([tf1.debugging.assert_positive(a)]):  # @positive
            a = a - 1.0  # @minus
        return i + 1, a

    loop = tf1.while_loop(lambda i, a: i < 5, shrink, [0, x])[1]
    multiplied = tf.matmul(tf.reshape(x, [1, -1]), tf.ones([3, 1]))  # @multiplied
    item = tf1.data.make_one_shot_iterator(tf.data.Dataset.range(2)).get_next()  # @item
    variable = tf1.get_variable("never_initialized", [])

    def broken(value):
        raise ValueError("from the user's function")  # @python

    python = tf1.py_func(broken, [x], tf.float32)
    with tf1.Session() as session:
        told(lambda: session.run(checked, {x: [0.0]}))  # @run
        told(lambda: session.run(checked, {x: [1.0]}))
        told(lambda: session.run(loop, {x: [3.0]}))
        told(lambda: session.run(multiplied, {x: [1.0, 2.0]}))
        for _ in range(3):
            told(lambda: session.run(item))
        told(lambda: session.run(variable))
        told(lambda: session.run(python, {x: [1.0]}))
        told(lambda: session.run(checked))
        told(lambda: session.run("nowhere:0"))
        told(lambda: session.run(checked, {x: "text"}))
        told(lambda: session.run(checked, {x: [2.0]}, options=tf1.RunOptions(timeout_in_ms=-5)))
    told(lambda: session.run(checked, {x: [2.0]}))


@tf.function
def fails(x):
    y = tf.debugging.check_numerics(x / 0.0, "in a function")  # @function
    return y + 1.0


@tf.function
def untraceable(x):
    return tf.matmul(x, tf.ones([7, 7]))  # @untraceable


told(lambda: fails(tf.constant(1.0)))
told(lambda: untraceable(tf.ones([2, 2])))
told(lambda: fails())
