"""What is said of errors of tensor operations: names, shapes, lines, the remedy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.markers import line, program
from support.observer import Observation

from graphdebug.protocol.dap import Configuration
from graphdebug.protocol.runtime import AlertEvent

pytestmark = pytest.mark.frameworks

RUNNER = Path(program("errors_cases.py"))

TORCH = {
    "nested": (
        "F.linear at {nested} in Head.forward, module model.body.1.second (Linear): the last size of x "
        "is 6, and self.second takes 5 (in_features).",
        "x is float32 (2, 6) cpu",
        "from {nested_relu}  x = F.relu(self.first(x))  -> float32 (2, 6) cpu",
        "{nested_flatten}  x = x.flatten(1)  -> float32 (2, 12) cpu",
        "{nested_call}  self.body[1](images)  -> float32 (2, 3, 4) cpu",
        "{nested_loop}  for batch in",
        "self.second.weight is float32 (2, 5) cpu",
        "from {nested_made}  self.second = nn.Linear(5, 2)",
        "Remedy: nn.Linear(6, 2) for self.second ({nested_made})",
    ),
    "sequence": (
        "module model.3 (Linear): the last size of the output of model[2] is 5, and model[3] takes 6",
        "from {sequence}  model(x)",
        "Remedy: nn.Linear(5, 2) for model[3] ({sequence_made})",
    ),
    "matmul": (
        "a @ b at {matmul} in case_matmul: the last size of a is 3, and the one before the last of b is 2",
        "from {matmul_a}  a = torch.ones(2, 3)  -> float32 (2, 3) cpu",
        "Remedy: b.T",
    ),
    "temporary": ("a.relu() is float32 (2, 3) cpu", "a.sigmoid() is float32 (2, 3) cpu"),
    "cat": ("in dimension 1 a has 3 and b has 4", "Remedy: dim=1"),
    "channels": (
        "images has 1 channel (dimension 1), and conv takes 3",
        "Remedy: nn.Conv2d(1, 8, 3",
    ),
    "dtype": ("x is int64, and layer.weight is float32", "Remedy: x.float()."),
    "target_dtype": (
        "F.cross_entropy at {target_dtype}",
        "target is float32",
        "Remedy: target.long().",
    ),
    "target_rows": ("out (4, 3) has 4 rows, and target (5,) has 5.",),
    "target_class": ("target holds class 3, and out (2, 3) has 3: 0 to 2.",),
    "embedding": (
        "tokens holds 10, and table.weight has 10 rows: 0 to 9.",
        "Remedy: nn.Embedding(11, 3) or more for table ({embedding_made})",
    ),
    "device": (
        "x is on cpu, and layer.weight is on meta",
        "layer.weight is float32 (2, 3) meta",
        'Remedy: layer.to_empty(device="cpu")',
    ),
    "broadcast": ("a (4, 3) and b (4,) don't broadcast", "Remedy: b.unsqueeze(1)"),
    "view": ("x has 12 elements, and (5, 2) holds 10.", "Remedy: (-1, 2): size 0 is then 6."),
    "stride": ("Remedy: x.reshape(...)",),
    "element": ("a[:2] = b at {element}", "a is float32 (3,) cpu", "b is float32 (3,) cpu"),
    "branches": (
        "{branches_else}  x = x * 2  (one of several ways here)",
        "{branches_then}  x = x.t()  (one of several ways here)",
    ),
    "loss_size": (
        "out is (4, 1) and target is (4,)",
        "Remedy: out.squeeze(-1), or target.unsqueeze(-1).",
    ),
    "leaf": ("w += 1 at {leaf}", "w is a leaf that requires grad", "Remedy: with torch.no_grad():"),
    "saved_output": (
        "y.sum().backward at {saved_output}",
        "backward of x.sigmoid() at {saved_output_made} needs y as it was",
        "by y += 1 at {saved_output_changed}.",
        "Remedy: y = y + 1",
    ),
    "saved_input": (
        "backward of y * y at {saved_input_made} needs y as it was",
        "by F.relu(y, inplace=True) at {saved_input_changed}.",
        "Remedy: it without inplace=True",
    ),
    "saved_unseen": (
        "backward of y * y at {saved_unseen_made} needs y as it was",
        "changed in place once since.",
        "{saved_unseen_changed}  y.zero_()  (one of several ways here)",
        "Remedy: change a copy of it (y.clone())",
    ),
    "updated": (
        "needs model.2.weight as it was",
        "SGD.step at {updated_step} has run since.",
        "Remedy: call backward before the optimizer's step",
    ),
    "twice": (
        "the saved tensors of loss were freed",
        "backward is also called at line [twice_first].",
        "Remedy: call backward once",
    ),
    "carried": (
        "the graph of loss goes back into an earlier step",
        "cell(torch.ones(2, 3), h) at {carried_read} reads a tensor that was made then.",
        "h = h.detach().",
    ),
    "no_graph": ("loss has no grad_fn", "from ", "loss = x.sum()"),
    "not_scalar": ("loss (3,) has more than one element", "Remedy: loss.mean().backward()"),
    "wrong_gradient": (
        "Twice.backward returned a gradient of shape [2] for input 0, whose shape is [3].",
        "{wrong_gradient_backward}  Twice.backward",
    ),
    "state": ("model.weight is (2, 3), the checkpoint's is (2, 4).",),
    "state_of_optimizer": (
        "optimizer.step at {state_of_optimizer}",
        "w is float32 (4,) cpu",
        "is float32 (3,) cpu",
    ),
    "library": (
        "F.linear at {library} in case_library, module model.body.0 (Linear): the last size of h in "
        "Body.forward is 12, and model.body.0 takes 8",
        "embeds is float32 (2, 5, 12) cpu",
    ),
    "library_operation": (
        "h + mask in Body.forward (blocks.py:15) at {library_operation} in case_library_operation",
        "h in Body.forward (2, 5, 8) and mask (2, 4) don't broadcast",
    ),
    "worker": None,
    "three": ("mask (4, 3) and b (4,) don't broadcast",),
    "attention": ("F.scaled_dot_product_attention at {attention}", ": Expected size for first two"),
    "functional": ("the last size of x is 5, and that of w is 2.",),
    "weighted": ("y (4, 1) holds classes", "Remedy: y.squeeze(1)."),
    "product_dtype": ("a is int64, and b is float32", "Remedy: a.float()."),
    "unbatched": ("img has 1 channel (dimension 0)",),
    "stacked": ("in dimension 1 a has 3 and b has 5; torch.vstack",),
    "element_of_several": ("torch.autograd.backward at {element_of_several}", ": b has no grad_fn"),
    "made_once": ("Remedy: compute it again in each step;",),
    "saved_by_several": ("needs p as it was", "p[p < 0.1] = 0 at {saved_by_several}"),
    "changed_twice": ("changed in place 2 times since", "Remedy: change a copy of it (y.clone())"),
    "updated_by_hand": ("{updated_by_hand}  w -= 0.1", "Remedy: call backward before w is changed"),
    "hostile": (
        "the last size of y is 5, and self.projection takes 3",
        "from {hostile_y}  y = self.odd.tensor",
    ),
    "hostile_saved": ("by y.add_(1) at {hostile_saved}",),
    "not_raised_by_torch": None,
    "not_of_these_kinds": None,
    "not_about_operands": None,
}
"""What has to be in the text, in order; ``{x}`` is the place marked so, ``[x]`` its line."""

TENSORFLOW = {
    "eager": (
        "tf.matmul at {eager} in case_eager: the last size of h is 3, and the one before the last of w is",
        "h is float32 (2, 3) /device:CPU:0",
        "from {eager_h}  h = tf.nn.relu(x)  -> float32 (2, 3)",
        "{eager_x}  x = tf.ones((2, 3))",
        "Remedy: tf.matmul(h, w, transpose_b=True)",
    ),
    "concat": ("in dimension 1 a (2, 3) and b (2, 4) differ", "Remedy: axis=1"),
    "dtype": (
        "x + w at {dtype}",
        "{dtype_data}  data = np.ones((2, 3))  -> float64 (2, 3) numpy",
        "Remedy: tf.cast(x, tf.float32)",
    ),
    "reshape": ("x has 6 elements, and the new shape holds 8.",),
    "gather": ("index 5 at [0] is outside of table, which has 0 to 2.",),
    "fit": (
        "model.fit at {fit} in case_fit, module model.layers[0] (Dense",
        "is given (None, 5) from data: expected axis -1 of input shape to have value 4.",
        "from {fit_data}  data, labels =",
        "from {fit_model}  model = keras.Sequential(",
        "Remedy: give it a tensor whose size -1 is 4",
    ),
    "labels": ("model.fit at {labels}", "the labels hold class 7, and the outputs have 3: 0 to 2."),
    "functional": (
        "layer at {functional} in case_functional, module layer (Conv2D",
        "is given (None, 64) from flat: expected min_ndim=4, found ndim=2.",
        "from {functional_flat}  flat = keras.layers.Flatten()(inputs)  -> float32 (None, 64)",
        "from {functional_layer}  layer = keras.layers.Conv2D(3, 3)",
    ),
    "subclass": (
        "self.second at {subclass} in Net.call, module self.second (Dense",
        "is given (2, 3) from h: expected axis -1 of input shape to have value 5.",
        "from {subclass_h}  h = self.first(x)  -> float32 (2, 3)",
        "{subclass_call}  net(data)",
        "from {subclass_made}  self.second = keras.layers.Dense(2)",
    ),
    "trace": (
        "tf.matmul at {trace} in traced: the last size of c is 3, and the one before the last of b is 4",
        "from {trace_c}  c = a * 2.0  -> float32 (2, 3)",
        "{trace_call}  traced(x, y)",
        "{trace_values}  x, y =",
    ),
    "run": (
        "tf.matmul at {run} in compiled: the last size of c is 3, and the one before the last of b is 4",
        "c is (2, 3)",
        "from {run_c}  c = a * 2.0",
        "{run_call}  compiled(x, y)",
    ),
    "build": (
        "tf.matmul at {build} in case_build: the last size of h is 3, and the one before the last of w is",
        "from {build_h}  h = x * 2  -> float32 (None, 3)",
        "{build_x}  x = v1.placeholder",
    ),
    "session": (
        "tf.matmul at {session} in case_session: the last size of h is 3",
        "h is float32 (None, None), (2, 3) in this run",
        "from {session_h}  h = tf.nn.relu(x)",
        "{session_x}  x = v1.placeholder",
        "fed with float64 (2, 3) numpy",
    ),
    "feed": (
        "session.run at {feed} in case_feed: x takes (None, 3), and is fed (2, 4).",
        "from {feed_x}  x = v1.placeholder",
    ),
    "not_raised_by_tensorflow": None,
    "not_of_these_kinds": None,
}


@pytest.mark.parametrize(
    ("module", "expected"),
    [("errors_torch", TORCH), ("errors_tensorflow", TENSORFLOW)],
    ids=["torch", "tensorflow"],
)
def test_each_error_is_explained(module: str, expected: dict[str, tuple[str, ...] | None]) -> None:
    """The program itself checks that no error is touched, and that no tensor outlives it."""
    # The watch for NaN keeps the tensors of an eager step in TensorFlow, which is another matter.
    observed = Observation(RUNNER, module, configuration=Configuration(nan_watch=False))
    assert observed.returncode == 0, observed.stderr
    assert [event.alert.message for event in observed.of(AlertEvent)] == []
    said = {item["case"]: item["said"] for item in map(json.loads, observed.stdout.splitlines())}
    assert said.keys() == expected.keys()
    wrong = [
        f"{case}: no {missing!r} in\n{said[case]}"
        for case, words in expected.items()
        if (missing := _missing(said[case], words, program(f"{module}.py"))) is not None
    ]
    assert not wrong, "\n\n".join(wrong)


def _missing(said: str | None, words: tuple[str, ...] | None, path: str) -> str | None:
    """The first of the words that isn't there, in order; None where all are."""
    if words is None or said is None:
        return None if words is said is None else str(words)
    at = 0
    for word in words:
        full = re.sub(r"\{(\w+)\}", lambda m: f"{Path(path).name}:{line(path, m[1])}", word)
        full = re.sub(r"\[([a-z]+_[a-z]+)\]", lambda m: str(line(path, m[1])), full)
        found = said.find(full, at)
        if found < 0:
            return full
        at = found + len(full)
    return None
