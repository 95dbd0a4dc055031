"""Says at which kind of place it stands; with ``unfit``, in a TensorFlow that isn't as expected."""

import sys

if sys.argv[1:] == ["unfit"]:
    from graphdebug.runtime.backends.tensorflow import function_hooks

    real = function_hooks.install

    def install(functions, patches):
        from tensorflow.python.eager.polymorphic_function import tracing_compilation

        tracing_compilation._create_concrete_function = lambda changed: None
        real(functions, patches)

    function_hooks.install = install

import tensorflow as tf

boot = sys.modules["graphdebug.runtime.boot"]
print(boot.place())
with tf.Graph().as_default() as graph:
    print(boot.place())
    one = tf.constant(1)


@tf.function
def traced():
    print(boot.place())
    with tf.init_scope():
        print(boot.place())


if len(sys.argv) == 1:
    traced()
with tf.compat.v1.Session(graph=graph) as session:
    print(boot.place())
    session.run(one)
print(boot.place())
from tensorflow.python.framework import ops  # noqa: E402

print(len(ops._default_graph_stack.stack))
