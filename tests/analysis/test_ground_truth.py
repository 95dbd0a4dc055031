"""Real programs, run for real: what the analysis said of their lines is what happened there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphdebug.analysis import analyse

pytestmark = pytest.mark.frameworks

RECORDER = Path(__file__).with_name("record_programs.py")
BY_LINE = ("tf.compat.v1", "graph.as_default()", "tf.compat.v1.Session")

GRAPH_MODE = "import tensorflow as tf\ntf1 = tf.compat.v1\ntf1.disable_eager_execution()\n"
EAGER = "import tensorflow as tf\n"

STATIC = {
    "while_loop": """
first = tf.constant(0)
second = tf.constant(10)
def cond(first, second):
    return first < second
def body(first, second):
    first = tf.add(first, 2)
    print("building")
    second = tf.add(second, 1)
    return first, second
out = tf.while_loop(cond, body, [first, second])
with tf1.Session() as sess:
    values = sess.run(out)
    print(values)
""",
    "layers": """
def dense(x, units):
    width = units * 2
    w = tf1.get_variable("w", [4, units])
    y = tf.matmul(x, w)
    kept = []
    for i in range(2):
        kept.append(y + i)
        print(i)
    return sum(kept)
class Model:
    def __init__(self, rate):
        self.x = tf1.placeholder(tf.float32, [None, 4])
        self.rate = rate
        self.loss = self.build()
        self.optimizer = tf1.train.GradientDescentOptimizer(self.rate)
        self.train = self.optimizer.minimize(self.loss)
    def build(self):
        hidden = dense(self.x, 3)
        scaled = self.rate * 2
        return tf.reduce_mean(hidden * scaled)
model = Model(0.1)
init = tf1.global_variables_initializer()
with tf1.Session() as sess:
    sess.run(init)
    for step in range(2):
        loss = sess.run([model.train, model.loss], {model.x: [[1.0, 2.0, 3.0, 4.0]]})
        print(loss)
""",
    "branches": """
import functools
x = tf.constant(3.0)
def yes():
    return x * 2
def no():
    return x / 2
def scaled(k, a, b):
    return a * k + b
picked = tf.cond(x > 1, yes, no)
cased = tf.case([(x > 2, yes)], default=lambda: x)
switched = tf.switch_case(tf.constant(1), [yes, no])
summed = tf.foldl(functools.partial(scaled, 2.0), tf.constant([1.0, 2.0]))
scanned = tf.scan(lambda a, b: a + b, tf.constant([1.0, 2.0]))
def each(v):
    return v * v
mapped = tf.map_fn(each, tf.constant([1.0, 2.0]))
with tf1.Session() as sess:
    print(sess.run([picked, cased, switched, summed, scanned, mapped]))
""",
    "functions in graph mode": """
@tf.function
def converted(x):
    y = x + 1
    return helper(y)
def helper(x):
    return x * 2
@tf.function(autograph=False)
def written(x):
    return x - 1
out = converted(tf.constant(1)) + written(tf.constant(2))
with tf1.Session() as sess:
    print(sess.run(out))
""",
}

DYNAMIC = {
    "graph in a block": """
x = tf.constant(1.0)
y = x * 2
graph = tf.Graph()
with graph.as_default():
    a = tf.constant(1)
    b = a + 1
    n = 3
    print(b, n)
    loop = tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [a])
    with tf.compat.v1.Session() as sess:
        print(sess.run([b, loop]))
z = y * 2
""",
    "eager loops": """
def cond(i):
    return i < 3
def body(i):
    return [i + 1]
out = tf.while_loop(cond, body, [tf.constant(0)])
def each(v):
    return v * v
print(tf.map_fn(each, tf.constant([1.0, 2.0])))
def batch(v):
    return v * v
print(tf.vectorized_map(batch, tf.constant([1.0, 2.0])))
""",
    "functions": """
def helper(x):
    return x * 2
def key(x):
    return -x
class Thing:
    def __init__(self, x):
        self.x = x + 1
    def method(self):
        return self.x * 3
def body(i):
    return [i + 1]
@tf.function
def converted(x):
    thing = Thing(x)
    order = sorted([1, 2], key=key)
    i = tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])
    if x > 0:
        x = x + 1
    return helper(x) + thing.method()
@tf.function(autograph=False)
def written(x):
    return helper(x) - 1
def both(x):
    return x + 5
def caller(x):
    return both(x)
fast = tf.function(caller)
for value in (1.0, 2.0):
    converted(tf.constant(value))
    written(tf.constant(value))
    fast(tf.constant(value))
    both(tf.constant(value))
""",
    "datasets": """
def scale(x):
    y = x * 2
    return y
def keep(x):
    return x > 0
@tf.autograph.experimental.do_not_convert
def written(x):
    return x + 1
ds = tf.data.Dataset.range(3).map(scale).filter(keep)
ds = ds.map(written)
for x in ds.map(lambda v: v + 1):
    print(int(x))
""",
    "keras": """
import keras
class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = keras.layers.Dense(2)
    def call(self, x):
        return self.inner(x) * 2
class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.block = Block()
    def call(self, x):
        y = self.block(x)
        return y + 1
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.loss_of(y, self(x, training=True))
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return {"loss": loss}
    def loss_of(self, y, p):
        return tf.reduce_mean((y - p) ** 2)
class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(epoch)
model = Model()
model.compile("sgd")
model.fit(tf.ones([4, 3]), tf.ones([4, 2]), batch_size=2, verbose=0, callbacks=[Stop()])
""",
    "run eagerly": """
tf.config.run_functions_eagerly(True)
def helper(x):
    return x * 2
@tf.function
def step(x):
    y = x + 1
    return helper(y)
step(tf.constant(1.0))
tf.config.run_functions_eagerly(True)
""",
}

TORCH = {
    "compiled": """
from torch import nn
def helper(x):
    return x + 1
@torch.compiler.disable
def disabled(x):
    return x * 3
@torch.compile(backend="eager")
def step(x):
    y = helper(x)
    return y * 2
class Block(nn.Module):
    def forward(self, x):
        return x * 2
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(2)])
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
def both(x):
    return x - 1
net = torch.compile(Net(), backend="eager")
fast = torch.compile(both, backend="eager")
for _ in range(2):
    x = step(torch.ones(3))
    net(x)
    fast(x)
    both(x)
    disabled(x)
""",
    "scripted and traced": """
def under(x):
    return x + 1
@torch.jit.script
def scripted(x):
    y = x + 1
    return y
def traced(x):
    return under(x) * 2
class Net(torch.nn.Module):
    def forward(self, x):
        return x * 2
class Kept(torch.nn.Module):
    def forward(self, x):
        return self.ignored(x)
    @torch.jit.ignore
    def ignored(self, x):
        # type: (torch.Tensor) -> torch.Tensor
        return x * 3
graph = torch.jit.trace(traced, (torch.ones(3),))
kept = torch.jit.script(Kept())
exported = torch.export.export(Net(), (torch.ones(3),))
for _ in range(2):
    graph(kept(scripted(torch.ones(3))))
""",
    "plain": """
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g * 2
def square(x):
    return x * x
x = torch.ones(3, requires_grad=True)
Double.apply(x).sum().backward()
torch.vmap(square)(x)
torch.func.grad(lambda v: square(v).sum())(x)
""",
}


@dataclass(frozen=True)
class Happened:
    """What a program did, by line."""

    ran: frozenset[int]
    built: frozenset[int]


def record(programs: Mapping[str, str], header: str, folder: Path) -> dict[str, Happened]:
    """Runs ``programs`` in one fresh process."""
    paths = {}
    for name, program in programs.items():
        path = folder / f"{name.replace(' ', '_')}.py"
        path.write_text(header + program, encoding="utf-8")
        paths[str(path)] = name
    ran = subprocess.run(
        [sys.executable, str(RECORDER), *paths], capture_output=True, text=True, timeout=170
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return {
        paths[path]: Happened(frozenset(lines["ran"]), frozenset(lines["built"]))
        for path, lines in found.items()
    }


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Happened]:
    folder = tmp_path_factory.mktemp("programs")
    return (
        record(STATIC, GRAPH_MODE, folder)
        | record(DYNAMIC, EAGER, folder)
        | record(TORCH, "import torch\n", folder)
    )


@pytest.mark.parametrize("name", [*STATIC, *DYNAMIC])
def test_nodes_are_built_where_the_analysis_says(name: str, happened: dict[str, Happened]) -> None:
    analysis = analyse(text_of(name))
    assert name == "run eagerly" or happened[name].built
    built = {analysis.binding(line).line for line in happened[name].built}
    assert all(analysis.binding(line).kind == "boundary" for line in built), sorted(
        line for line in built if analysis.binding(line).kind != "boundary"
    )
    by_line = {b.line for b in analysis.bindings if b.construct in BY_LINE}
    assert by_line <= built


@pytest.mark.parametrize("name", [*STATIC, *DYNAMIC, *TORCH])
def test_python_stops_where_the_analysis_says(name: str, happened: dict[str, Happened]) -> None:
    analysis = analyse(text_of(name))
    ran = happened[name].ran
    count = text_of(name).count("\n")
    for line in range(1, count + 1):
        binding = analysis.binding(line)
        if binding.line != line or binding.kind == "never":
            assert binding.line != line or line not in ran
        else:
            assert binding.builds == (line in ran), (line, binding)


def text_of(name: str) -> str:
    if name in STATIC:
        return GRAPH_MODE + STATIC[name]
    return EAGER + DYNAMIC[name] if name in DYNAMIC else "import torch\n" + TORCH[name]
