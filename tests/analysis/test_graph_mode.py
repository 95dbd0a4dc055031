"""Static graphs of TensorFlow 1: which lines build nodes, under which spellings."""

from __future__ import annotations

import pytest
from marked_programs import check

SPELLINGS = {
    "tf.compat.v1": ("import tensorflow as tf\ntf.compat.v1.disable_eager_execution()", "tf."),
    "import as tf": ("import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()", "tf."),
    "alias": (
        "import tensorflow as tf\ntf1 = tf.compat.v1\ntf1.disable_eager_execution()",
        "tf1.",
    ),
    "from": (
        "from tensorflow.compat.v1 import while_loop, disable_eager_execution\n"
        "disable_eager_execution()",
        "",
    ),
    "from as": (
        "from tensorflow import while_loop as loop\n"
        "from tensorflow.compat.v1 import disable_eager_execution as off\noff()\nwhile_loop = loop",
        "",
    ),
    "import": ("import tensorflow\ntensorflow.compat.v1.disable_eager_execution()", "tensorflow."),
    "compat": ("from tensorflow import compat\ncompat.v1.disable_eager_execution()", "compat.v1."),
    "star": ("from tensorflow.compat.v1 import *\ndisable_eager_execution()", ""),
    "tried": (
        "try:\n    import tensorflow.compat.v1 as tf\nexcept ImportError:\n"
        "    import tensorflow as tf\ntf.disable_eager_execution()",
        "tf.",
    ),
    "internal": (
        "from tensorflow.python.ops import control_flow_ops\nimport tensorflow as tf\n"
        "tf.compat.v1.disable_eager_execution()",
        "control_flow_ops.",
    ),
    "tensorflow 1": ("import tensorflow as tf\nsess = tf.Session()", "tf."),
    "in a function": (
        "def main():\n    import tensorflow as tf\n    tf.compat.v1.disable_eager_execution()\n"
        "import tensorflow as tf",
        "tf.",
    ),
    "global": (
        "def load():\n    global tf\n    import tensorflow.compat.v1 as tf\n"
        "    tf.disable_eager_execution()\nload()",
        "tf.",
    ),
}

LOOP = """
def cond(i):
    return i < 3  # @boundary tf.while_loop

def body(i):
    print("building")  # @boundary tf.while_loop
    return i + 1  # @boundary tf.while_loop

{tf}while_loop(cond, body, [0])
"""


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_a_while_loop(name: str) -> None:
    header, prefix = SPELLINGS[name]
    check(header + LOOP.format(tf=prefix))


HANDED = {
    "keywords": "tf.while_loop(body=f, cond=lambda i: i < 3, loop_vars=[0])",
    "cond": "tf.cond(p, f, lambda: 0)",
    "cond by keyword": "tf.cond(p, true_fn=lambda: 0, false_fn=f)",
    "case": "tf.case([(p, f)], default=f)",
    "switch_case": "tf.switch_case(p, [f, f])",
    "switch_case dict": "tf.switch_case(p, branch_fns={0: f})",
    "scan": "tf.scan(f, p)",
    "foldl": "tf.foldl(f, p)",
    "foldr": "tf.foldr(fn=f, elems=p)",
}


@pytest.mark.parametrize("name", HANDED)
def test_every_function_that_takes_functions(name: str) -> None:
    call = HANDED[name]
    construct = call.partition("(")[0]
    check(
        f"""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        p = tf.compat.v1.placeholder(tf.int32)
        def f(*a):
            return a  # @boundary {construct}
        {call}  # @boundary tf.compat.v1
    """.replace("# @boundary tf.compat.v1", "# @boundary " + _of_line(call))
    )


def _of_line(call: str) -> str:
    """A lambda on the line speaks for it: both build nodes there."""
    return call.partition("(")[0] if "lambda" in call else "tf.compat.v1"


WAYS = {
    "partial": "tf.while_loop(c, functools.partial(body, 2), [0])",
    "variable": "step = body\ntf.while_loop(c, step, [0])",
    "conditional": "tf.while_loop(c, body if flag else c, [0])",
    "through a function": "def run(step):\n    tf.while_loop(c, step, [0])\nrun(body)",
    "through a keyword": "def run(*, step):\n    tf.while_loop(c, step, [0])\nrun(step=body)",
    "partial of a loop": "functools.partial(tf.while_loop, c)\ntf.while_loop(c, body, [0])",
    "walrus": "tf.while_loop(c, (b := body), [0])",
    "returned": "def make():\n    return body\ntf.while_loop(c, make(), [0])",
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_hand_a_function_over(name: str) -> None:
    check(
        "import functools\nimport tensorflow as tf\ntf.compat.v1.disable_eager_execution()\n"
        "def c(i):\n    return i < 3\n"
        "def body(i, *a):\n    return i  # @boundary tf.while_loop\n" + WAYS[name]
    )


def test_methods_and_nested_functions() -> None:
    check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        class Model:
            def __init__(self):
                self.step = self.other
            def cond(self, i):
                return i < 3  # @boundary tf.while_loop
            def body(self, i):
                return self.helper(i)  # @boundary tf.while_loop
            def helper(self, i):
                return [i]  # @boundary tf.while_loop
            def other(self, i):
                return i  # @boundary tf.while_loop
            def build(self):
                def nested(i):
                    return i  # @boundary tf.while_loop
                tf.while_loop(self.cond, self.body, [0])  # @boundary tf.compat.v1
                tf.while_loop(self.cond, nested, [0])
                tf.while_loop(self.cond, self.step, [0])
            def unused(self, i):
                return [i]  # @line
    """)


def test_inherited_and_abstract_methods() -> None:
    check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        class Base:
            def inherited(self, i):
                return i  # @boundary tf.while_loop
            def run(self):
                tf.while_loop(self.abstract, self.abstract, [0])
        class Derived(Base):
            def abstract(self, i):
                return i  # @boundary tf.while_loop
            def go(self):
                tf.while_loop(self.inherited, super().inherited, [0])
    """)


def test_lines_that_build_nodes() -> None:
    check("""
        import tensorflow as tf
        tf1 = tf.compat.v1  # @line
        tf1.disable_eager_execution()  # @line
        n = 3  # @line
        x = tf1.placeholder(tf.float32, [None, 4])  # @boundary tf.compat.v1
        y = x + 1  # @boundary tf.compat.v1
        z = (
            y  # @boundary tf.compat.v1
            * 2
        )
        print(x, y.shape, n + 1)  # @line
        shape = x.get_shape()  # @line
        kept = []  # @line
        for i in range(n):  # @line
            kept.append(y * i)  # @boundary tf.compat.v1
            print(i)  # @line
        first = kept[0]  # @line
        total = sum(kept)  # @boundary tf.compat.v1
        y += 1  # @boundary tf.compat.v1
        squares = [k * k for k in kept]  # @boundary tf.compat.v1
        for k in kept:  # @line
            k.name  # @line
        if n > 2:  # @line
            y = -y  # @boundary tf.compat.v1
        with tf1.variable_scope("a"):  # @line
            w = tf1.get_variable("w", [4, 2])  # @boundary tf.compat.v1
        opt = tf1.train.AdamOptimizer(0.1)  # @line
        train = opt.minimize(total)  # @boundary tf.compat.v1
        saver = tf1.train.Saver()  # @boundary tf.compat.v1
        init = tf1.global_variables_initializer()  # @boundary tf.compat.v1
        assert y is not None  # @line
        with tf1.Session() as sess:  # @line
            sess.run(init)  # @line
            for step in range(10):  # @line
                out = sess.run([train, y], feed_dict={x: [[1, 2, 3, 4]]})  # @line
                print(step, out)  # @line
                a = total.eval()  # @line
            saver.save(sess, "model")  # @line
    """)


def test_what_functions_are_given_and_give() -> None:
    check("""
        import tensorflow as tf
        from tensorflow.compat.v1 import disable_v2_behavior
        import layers, logging
        disable_v2_behavior()
        def dense(x, units):
            width = units * 2  # @line
            logging.info("dense %s", x)  # @line
            return x * 2  # @boundary tf.compat.v1
        class Net:
            def __init__(self, rate):
                self.x = tf.constant(1)  # @boundary tf.compat.v1
                self.rate = rate  # @line
            def build(self):
                scaled = self.rate * 2  # @line
                return self.x + 1  # @boundary tf.compat.v1
        def source():
            return tf.constant(3)  # @boundary tf.compat.v1
        h = dense(source(), 3)  # @line
        g = h - 1  # @boundary tf.compat.v1
        net = Net(0.1)  # @line
        out = net.build() + g  # @boundary tf.compat.v1
        far = layers.conv(g)  # @boundary tf.compat.v1
        near = layers.count(3)  # @line
        def graph(x):
            return x  # @hidden tf.function
        f = tf.function(graph)
        y = f(g)  # @boundary tf.compat.v1
    """)


def test_only_under_a_graph() -> None:
    check("""
        import tensorflow as tf
        def helper(x):
            return x * 2  # @boundary graph.as_default()
        def twice(x):
            return tf.abs(x)  # @both graph.as_default()
        def eager(x):
            return tf.abs(x)  # @line
        x = tf.constant(1)  # @line
        y = eager(twice(x))  # @line
        graph = tf.Graph()  # @line
        with graph.as_default():  # @line
            a = tf.constant(1)  # @boundary graph.as_default()
            b = helper(a)  # @line
            c = twice(b)  # @line
            n = 1  # @line
            def body(i):
                return i  # @boundary tf.while_loop
            tf.while_loop(lambda i: i < 3, body, [a])  # @boundary tf.while_loop
        tf.while_loop(lambda i: i < 3, eager, [x])  # @line
        z = y + 1  # @line
    """)


CONTEXTS = {
    "tf.Graph().as_default()": "graph.as_default()",
    "tf.Graph().as_default() as g, tf.device('/cpu:0')": "graph.as_default()",
    "open('x'), tf.Graph().as_default()": "graph.as_default()",
    "tf.compat.v1.get_default_graph().as_default()": "graph.as_default()",
    "sess.graph.as_default()": "graph.as_default()",
    "my_graph.as_default()": "graph.as_default()",
    "tf.compat.v1.Session(graph=g) as sess": "tf.compat.v1.Session",
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_spelling_of_a_graph(context: str) -> None:
    check(f"""
        import tensorflow as tf
        def run(sess, my_graph, g):
            x = tf.constant(1)  # @line
            with {context}:
                y = tf.constant(1)  # @boundary {CONTEXTS[context]}
            z = tf.constant(1)  # @line
    """)


@pytest.mark.parametrize(
    "context",
    ["tf.summary.create_file_writer('logs').as_default()", "tf.device('/cpu:0')", "open('x') as g"],
)
def test_contexts_that_are_no_graphs(context: str) -> None:
    check(f"""
        import tensorflow as tf
        with {context}:
            y = tf.constant(1)  # @line
    """)


def test_a_graph_kept_in_an_attribute() -> None:
    check("""
        import tensorflow as tf
        class Model:
            def __init__(self):
                self.static = tf.Graph()
                with self.static.as_default():
                    self.x = tf.constant(1)  # @boundary graph.as_default()
                    self.build()  # @line
                self.eager = tf.constant(1)  # @line
            def build(self):
                self.y = self.x + 1  # @boundary graph.as_default()
    """)


def test_python_functions_run_in_threads_of_the_framework() -> None:
    analysis = check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        def host(x):
            return helper(x)  # @handled tf.py_function
        def helper(x):
            return x  # @handled tf.py_function
        y = tf.py_function(host, [tf.constant(1)], tf.int32)  # @boundary tf.compat.v1
    """)
    assert "debug_this_thread" in analysis.binding(4).reason


def test_the_reason_names_the_construct_and_its_line() -> None:
    analysis = check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        def body(i):
            return i + 1  # @boundary tf.while_loop
        tf.while_loop(lambda i: i < 3, body, [0])
    """)
    binding = analysis.binding(4)
    assert binding.reason == (
        "builds nodes of the static graph: body is given to tf.while_loop (line 5); it stops here "
        "while the graph is built, with symbolic tensors, and at Session.run when the graph runs"
    )
    assert (binding.function, binding.line, binding.builds) == ("body", 4, True)


def test_raw_operations_are_called_like_classes_and_build_nodes() -> None:
    check(
        """
import tensorflow.compat.v1 as tf
tf.disable_eager_execution()
drawn = tf.raw_ops.RandomStandardNormal(shape=[3], dtype=tf.float32)  # @boundary tf.compat.v1
normal = tf.raw_ops.RandomStandardNormal  # @line
again = normal(shape=[3], dtype=tf.float32)  # @boundary tf.compat.v1
"""
    )
