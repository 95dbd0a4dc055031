"""Keras: what ``fit`` traces, and what runs as plain Python."""

from __future__ import annotations

import pytest
from marked_programs import check

KERAS = """
import tensorflow as tf
import keras
class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()  # @line
    def call(self, x):
        return self.helper(x)  # @{layer}
    def helper(self, x):
        return x  # @{layer}
class Model(keras.Model):
    def __init__(self):
        self.block = Block()  # @line
    def call(self, x):
        return self.block(x)  # @{layer}
    def train_step(self, data):
        return self.loss_of(data)  # @{step}
    def loss_of(self, data):
        return data  # @{step}
class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass  # @line
"""


def test_keras_without_fit() -> None:
    check(KERAS.format(layer="line", step="boundary keras.Model.fit"))


def test_keras_with_fit() -> None:
    text = KERAS.format(layer="both keras.Model.fit", step="boundary keras.Model.fit")
    check(text + "model = Model()\nmodel.compile('sgd')\nmodel.fit([1], callbacks=[Stop()])\n")


def test_keras_run_eagerly() -> None:
    text = KERAS.format(layer="line", step="line")
    check(text + "model = Model()\nmodel.compile('sgd', run_eagerly=True)\nmodel.fit([1])\n")


def test_keras_run_eagerly_perhaps() -> None:
    text = KERAS.format(layer="both keras.Model.fit", step="boundary keras.Model.fit")
    check(
        text + "import sys\nmodel = Model()\n"
        "model.compile('sgd', run_eagerly='-d' in sys.argv)\nmodel.fit([1])\n"
    )


def test_keras_on_torch() -> None:
    header = "import os\nos.environ['KERAS_BACKEND'] = 'torch'\n"
    check(header + KERAS.format(layer="line", step="line") + "Model().fit([1])\n")


@pytest.mark.parametrize(
    "header",
    [
        "from tensorflow import keras\nM = keras.Model",
        "from tensorflow.keras import Model as M",
        "from keras.models import Model as M",
        "import tensorflow as tf\nM = tf.keras.Model",
        "import tf_keras\nM = tf_keras.Model",
        "import keras\nclass M(keras.Model):\n    pass",
        "from tensorflow.python.keras.engine.training import Model as M",
    ],
)
def test_every_spelling_of_a_keras_model(header: str) -> None:
    check(f"""
{header}
class Mine(M):
    def train_step(self, data):
        return data  # @boundary keras.Model.fit
    """)


def test_keras_losses_and_metrics() -> None:
    check("""
        import keras
        def loss(y, p):
            return y  # @boundary keras.Model.fit
        def metric(y, p):
            return y  # @boundary keras.Model.fit
        class Loss(keras.losses.Loss):
            def call(self, y, p):
                return y  # @both keras.Model.fit
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", loss=loss, metrics=[metric, "accuracy"])
        model.fit([1], [2])
    """)


def test_keras_inside_a_function_runs_as_written() -> None:
    check("""
        import keras
        import tensorflow as tf
        class Model(keras.Model):
            def call(self, x):
                return x  # @boundary tf.function
        model = Model()
        @tf.function
        def step(x):
            return model(x)  # @hidden tf.function
    """)
