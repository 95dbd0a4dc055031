"""Programs that look like graphs and are none, and graphs that look like something else."""

from __future__ import annotations

import pytest
from marked_programs import check

from graphdebug.analysis import analyse

NO_TENSORFLOW = {
    "another module": "import mytf as tf",
    "a class": "class tf:\n    while_loop = staticmethod(print)\n    function = staticmethod(print)",
    "bound anew": "import tensorflow as tf\ntf = Fake()",
    "bound to a string": "import tensorflow as tf\ntf = 'x'",
    "never imported": "tf = None",
    "relative": "from . import tensorflow as tf",
    "a submodule of another": "import mine.tensorflow as tf",
    "looped over": "import tensorflow as tf\nfor tf in []:\n    pass",
}


@pytest.mark.parametrize("name", NO_TENSORFLOW)
def test_a_tf_that_is_no_tensorflow(name: str) -> None:
    check(f"""
{NO_TENSORFLOW[name]}
import tensorflow.compat.v1
tensorflow.compat.v1.disable_eager_execution()
def body(i):
    return i  # @line
@tf.function
def step(x):
    return x  # @line
tf.while_loop(body, body, [0])
    """)


def test_shadowed_in_a_function() -> None:
    check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        def plain(i):
            return i  # @line
        def graph(i):
            return i  # @boundary tf.while_loop
        def by_parameter(tf):
            tf.while_loop(plain, plain, [0])
        def by_local():
            tf = object()
            tf.while_loop(plain, plain, [0])
        def by_comprehension():
            return [tf.while_loop(graph, graph, [0]) for x in (1, 2)]
    """)


def test_methods_named_like_tensorflow() -> None:
    check("""
        import tensorflow as tf
        tf.compat.v1.disable_eager_execution()
        class Machine:
            def while_loop(self, cond, body):
                return body()  # @line
            def map_fn(self, f):
                return f()  # @line
            def cond(self):
                return True  # @line
            def run(self):
                def body():
                    return 1  # @line
                self.while_loop(self.cond, body)
                self.map_fn(body)
        Machine().while_loop(print, print)
    """)


def test_local_functions_named_like_tensorflow() -> None:
    check("""
        import tensorflow as tf
        def cond(x):
            return x  # @line
        def function(f):
            return f  # @line
        @function
        def step(x):
            return cond(x)  # @line
        def scan(f, xs):
            return [f(x) for x in xs]  # @line
        scan(cond, [1])
    """)


def test_the_same_name_in_two_scopes() -> None:
    check("""
        import tensorflow as tf
        def step(x):
            return x  # @line
        def make():
            @tf.function
            def step(x):
                return x  # @hidden tf.function
            return step
        class Trainer:
            @tf.function
            def step(self, x):
                return x  # @hidden tf.function
        step(1)
    """)


def test_a_function_defined_twice() -> None:
    check("""
        import sys
        import torch
        if sys.argv:
            def f(x):
                return x  # @hidden torch.compile
        else:
            def f(x):
                return -x  # @hidden torch.compile
        f = torch.compile(f)
    """)


def test_async_functions_and_generators() -> None:
    check("""
        import tensorflow as tf
        async def fetch(x):
            return await other(x)  # @line
        async def other(x):
            async with x as y:  # @line
                async for z in y:  # @line
                    return z  # @line
        @tf.function
        def converted(x):
            return x  # @hidden tf.function
        @tf.function
        def unconverted(x):
            def rows():
                yield x  # @boundary tf.function
            return list(rows())  # @boundary tf.function
    """)


def test_match_and_walrus() -> None:
    check("""
        import torch
        @torch.compile
        def step(x):
            match x:  # @hidden torch.compile
                case [first, *rest] if (n := helper(first)):  # @hidden torch.compile
                    return n  # @hidden torch.compile
                case {"a": a, **rest}:
                    return other(a)
                case int() | str() as y:
                    return y
        def helper(x):
            return x  # @hidden torch.compile
        def other(x):
            return x  # @hidden torch.compile
    """)


def test_lambdas_that_share_their_line() -> None:
    check("""
        import tensorflow as tf
        ds = tf.data.Dataset.range(3)
        for x in ds.map(lambda v: v + 1):  # @both tf.data.Dataset.map
            print(x)  # @line
        ds.map(
            lambda v:  # @line
                v + 1)  # @hidden tf.data.Dataset.map
        one = tf.function(lambda v: v)  # @both tf.function
        @tf.function
        def f(x): return x  # @both tf.function
    """)


def test_recursion_and_cycles() -> None:
    check("""
        import torch
        a = b
        b = a
        x = x.y
        class C(D):
            pass
        class D(C):
            def m(self):
                return self.n  # @line
        @torch.compile
        def even(n):
            return odd(n - 1)  # @hidden torch.compile
        def odd(n):
            return even(n - 1)  # @hidden torch.compile
        def ping():
            return pong()  # @line
        def pong():
            return ping()  # @line
    """)


@pytest.mark.parametrize(
    "program",
    [
        "\n".join(
            ["a0 = f", *(f"a{i} = a{i - 1}" for i in range(1, 2000)), "torch.compile(a1999)"]
        ),
        "ds = tf.data.Dataset.range(3)" + ".map(f)" * 2000,
        "\n".join(f"def f{i}(x): return f{i + 1}(x)" for i in range(2000)) + "\ntorch.compile(f0)",
        "x = " + "1 + " * 5000 + "1",
        "x = " + "a." * 3000 + "b",
        "x = " + "[" * 3000,
        "f = torch.compile(" * 500,
    ],
)
def test_deep_programs_do_not_overflow(program: str) -> None:
    analysis = analyse("import tensorflow as tf, torch\n" + program)
    assert analysis.binding(1).kind == "line"
    assert isinstance(analysis.bindings, tuple)
