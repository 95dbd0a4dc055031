"""TensorFlow 2: what runs as plain Python, and what AutoGraph takes over."""

from __future__ import annotations

import pytest
from marked_programs import check


def test_loops_are_plain_python_where_tensorflow_is_eager() -> None:
    check("""
        import tensorflow as tf
        import tensorflow.compat.v1 as tf1
        def f(*a):
            return a  # @line
        tf.while_loop(lambda i: i < 3, f, [0])  # @line
        tf1.while_loop(
            lambda i:
                i < 3,  # @line
            f, [0])
        tf.cond(True, f, f)
        tf.scan(f, [1])
        tf.py_function(f, [1], tf.int32)
        tf.numpy_function(f, [1], tf.int32)
    """)


def test_map_fn_runs_a_copy_in_eager_tensorflow_too() -> None:
    analysis = check("""
        import tensorflow as tf
        def f(x):
            return helper(x)  # @never tf.map_fn
        def helper(x):
            return x  # @never tf.map_fn
        @tf.autograph.experimental.do_not_convert
        def left_alone(x):
            return x  # @line
        def also(x):
            return x  # @line
        tf.map_fn(f, [1])
        tf.map_fn(left_alone, [1])
        tf.map_fn(tf.autograph.experimental.do_not_convert(also), [1])
    """)
    assert "do_not_convert" in analysis.binding(3).reason


FUNCTIONS = {
    "decorator": ("@tf.function", "hidden"),
    "called": ("@tf.function()", "hidden"),
    "signature": ("@tf.function(input_signature=[tf.TensorSpec(())])", "hidden"),
    "compiled": ("@tf.function(jit_compile=True)", "hidden"),
    "no autograph": ("@tf.function(autograph=False)", "boundary"),
    "partial": ("@functools.partial(tf.function, jit_compile=True)", "hidden"),
    "no autograph, partial": ("@functools.partial(tf.function, autograph=False)", "boundary"),
    "compat": ("@tf.compat.v2.function", "hidden"),
    "imported": ("@function", "hidden"),
    "alias": ("@graph", "hidden"),
    "alias with options": ("@xla", "hidden"),
    "below others": ("@tf.function\n@functools.wraps(print)", "hidden"),
    "above others": ("@functools.wraps(print)\n@tf.function", "hidden"),
    "left alone": ("@tf.function\n@tf.autograph.experimental.do_not_convert", "boundary"),
    "own decorator": ("@compiled", "hidden"),
    "own decorator with options": ("@compiling(1)", "hidden"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_spelling_of_a_compiled_function(name: str) -> None:
    decorators, kind = FUNCTIONS[name]
    check(f"""
import functools
import tensorflow as tf
from tensorflow import function
graph = tf.function
xla = functools.partial(tf.function, jit_compile=True)
def compiled(f):
    return tf.function(f)
def compiling(option):
    def decorate(f):
        return tf.function(f)
    return decorate
{decorators}  # @line
def step(x):  # @line
    y = x + 1  # @{kind} tf.function
    return y  # @{kind} tf.function
step(1)  # @line
    """)


CALLS = {
    "rebound": "f = tf.function(f)\nf(1)",
    "named": "g = tf.function(f)\ng(1)",
    "options": "g = tf.function(f, jit_compile=True)",
    "keyword": "g = tf.function(func=f)",
    "called at once": "tf.function(f)(1)",
    "attribute": (
        "class M:\n    def __init__(self):\n        self.step = tf.function(f)\n"
        "    def run(self):\n        self.step(1)"
    ),
    "decorator applied": "tf.function(jit_compile=True)(f)",
}


@pytest.mark.parametrize("name", CALLS)
def test_every_way_to_compile_a_function(name: str) -> None:
    check("import tensorflow as tf\ndef f(x):\n    return x  # @hidden tf.function\n" + CALLS[name])


def test_a_function_that_is_called_both_ways() -> None:
    analysis = check("""
        import tensorflow as tf
        def f(x):
            return helper(x)  # @both tf.function
        def helper(x):
            return x  # @both tf.function
        g = tf.function(f)
        f(1)
        g(1)
    """)
    assert analysis.binding(3).builds


def test_what_autograph_converts_and_what_it_leads_back_from() -> None:
    check("""
        import functools
        import tensorflow as tf
        def helper(x):
            return deeper(x)  # @hidden tf.function
        def deeper(x):
            return x  # @hidden tf.function
        @tf.autograph.experimental.do_not_convert
        def left_alone(x):
            return under(x)  # @boundary tf.function
        def under(x):
            return x  # @boundary tf.function
        class Thing:
            def __init__(self, x):
                self.prepare()  # @boundary tf.function
            def prepare(self):
                pass  # @boundary tf.function
            def method(self):
                return 1  # @hidden tf.function
            def __call__(self):
                return 1  # @hidden tf.function
            @property
            def size(self):
                return 1  # @boundary tf.function
        def key(x):
            return x  # @boundary tf.function
        def items():
            yield 1  # @boundary tf.function
        @functools.lru_cache
        def cached():
            return 1  # @boundary tf.function
        def body(i):
            return inner(i)  # @boundary tf.while_loop
        def inner(i):
            return i  # @boundary tf.while_loop
        def each(x):
            return x  # @hidden tf.map_fn
        def host(x):
            return x  # @handled tf.numpy_function
        def replica(x):
            return x  # @hidden tf.function
        @tf.function
        def step(x, strategy):
            helper(x)  # @hidden tf.function
            left_alone(x)
            thing = Thing(x)
            thing.method()
            thing()
            print(thing.size)
            sorted([1, 2], key=key)
            for item in items():
                cached()
            def local(i):
                return i  # @hidden tf.while_loop
            tf.while_loop(local, body, [x])
            tf.map_fn(each, x)
            tf.numpy_function(host, [x], tf.int32)
            strategy.run(replica, args=(x,))
            return (lambda y:
                y + 1)(x)  # @hidden tf.function
    """)


def test_without_autograph_all_that_is_called_runs_as_written() -> None:
    check("""
        import tensorflow as tf
        @tf.function(autograph=False)
        def step(x):
            def local(i):
                return i  # @boundary tf.while_loop
            tf.while_loop(local, local, [x])  # @boundary tf.function
            tf.map_fn(each, x)
            return helper(x)
        def helper(x):
            return x  # @boundary tf.function
        def each(x):
            return x  # @boundary tf.map_fn
    """)


def test_functions_run_eagerly() -> None:
    check("""
        import tensorflow as tf
        tf.config.run_functions_eagerly(True)
        @tf.function
        def step(x):
            return helper(x)  # @line
        def helper(x):
            return x  # @line
        def element(x):
            return x  # @hidden tf.data.Dataset.map
        step(1)
        tf.data.Dataset.range(3).map(element)
    """)


def test_functions_that_may_run_eagerly() -> None:
    analysis = check("""
        import sys
        import tensorflow as tf
        if "--debug" in sys.argv:
            tf.config.run_functions_eagerly(True)
        @tf.function
        def step(x):
            return x  # @hidden tf.function
    """)
    assert "unless tf.config.run_functions_eagerly(True) (line 4)" in analysis.binding(7).reason


DATASETS = {
    "map": "tf.data.Dataset.range(3).map(f)",
    "keyword": "tf.data.Dataset.range(3).map(map_func=f, num_parallel_calls=2)",
    "chain": "tf.data.TFRecordDataset('x').shuffle(9).batch(2).map(f).prefetch(1)",
    "variable": "ds = tf.data.Dataset.range(3)\nds = ds.batch(2)\nds = ds.map(f)",
    "parameter": "def load(ds: tf.data.Dataset):\n    return ds.map(f)",
    "argument": "def load(ds):\n    return ds.map(f)\nload(tf.data.Dataset.range(3))",
    "returned": "def make():\n    return tf.data.Dataset.range(3)\nmake().map(f)",
    "imported": "from tensorflow.data import Dataset\nDataset.range(3).map(f)",
    "partial": "import functools\ntf.data.Dataset.range(3).map(functools.partial(f, 1))",
    "folder": "tf.keras.utils.image_dataset_from_directory('x').map(f)",
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_spelling_of_a_mapped_dataset(name: str) -> None:
    check(
        "import tensorflow as tf\n"
        "def f(x):\n    return x  # @hidden tf.data.Dataset.map\n" + DATASETS[name]
    )


@pytest.mark.parametrize("method", ["filter(f)", "flat_map(f)", "interleave(f)", "take_while(f)"])
def test_other_methods_of_datasets(method: str) -> None:
    name = method.partition("(")[0]
    check(f"""
        import tensorflow as tf
        def f(x):
            return x  # @hidden tf.data.Dataset.{name}
        tf.data.Dataset.range(3).{method}
    """)


def test_datasets_with_python_in_them() -> None:
    check(
        """
        import tensorflow as tf
        def rows():
            yield 1  # @handled tf.data.Dataset.from_generator
        def host(x):
            return x  # @handled tf.py_function
        @tf.autograph.experimental.do_not_convert
        def written(x):
            return x  # @boundary tf.data.Dataset.map
        def add(a, b):
            return a + b  # @hidden tf.data.Dataset.reduce
        ds = tf.data.Dataset.from_generator(rows)
        ds.map(lambda x: tf.py_function(host, [x], tf.int32))  # @both tf.data.Dataset.map
        ds.map(written)
        ds.reduce(0, add)
        list.map(add)
    """.replace("        list.map(add)\n", "")
    )


def test_things_that_only_look_like_datasets() -> None:
    check("""
        import tensorflow as tf
        import pandas
        from multiprocessing import Pool
        def f(x):
            return x  # @line
        def g(x):
            return x  # @line
        pandas.read_csv("x").map(f)
        Pool(3).map(g)
        def h(x, unknown):
            unknown.map(f)
    """)


def test_vectorized_map_traces() -> None:
    check("""
        import tensorflow as tf
        def f(x):
            return x  # @boundary tf.vectorized_map
        tf.vectorized_map(f, [1])
        def g(x):
            return x  # @boundary tf.compat.v1.wrap_function
        h = tf.compat.v1.wrap_function(g, [])
        h(1)
    """)
