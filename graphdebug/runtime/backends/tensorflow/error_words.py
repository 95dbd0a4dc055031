"""What is said of each of TensorFlow's and Keras's errors about shapes, dtypes and indices."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphdebug.runtime.backends.tensorflow.errors import Failure, Given

Words = tuple[str, str]
Say = Callable[["Failure", "re.Match[str]"], "Words | None"]
"""The cause and the remedy, as sentences; None where it isn't what it looked like."""


def find(message: str) -> Callable[[Failure], Words | None] | None:
    """What explains an error with this message; None where it is about something else."""
    for pattern, say in _KNOWN:
        match = re.search(pattern, message, re.DOTALL)
        if match is not None:
            return lambda failure, say=say, match=match: say(failure, match)  # type: ignore[misc]
    return None


def operation(message: str) -> str:
    """The type of the operation that an error names; empty where it names none."""
    for pattern in (
        r"\{\{node [^}]*\}\} = (\w+)\[",
        r"\[Op:(?!__)(\w+)\]",
        r"\{\{node (?:[^}]*/)?([A-Za-z]\w*?)(?:_\d+)?\}\}",
        r"of '(\w+)' Op",
    ):
        if (match := re.search(pattern, message)) is not None:
            return match[1].lstrip("_").removeprefix("Mkl")
    return ""


def layer(message: str) -> str:
    """The name of Keras's layer that an error names; empty where it names none."""
    match = re.search(r"of layer ['\"]?([\w.-]+?)['\"]? is incompatible", message)
    return "" if match is None else match[1]


def sizes(message: str) -> list[str]:
    """The shapes of the operands, where an error names them all."""
    match = (
        re.search(r"In\[0\]: (\[[\d,]*\]), In\[1\]: (\[[\d,]*\])", message)
        or re.search(r"Incompatible shapes: (\[[\d,]*\]) vs\. (\[[\d,]*\])", message)
        or re.search(r"shape\[0\] = (\[[\d,]*\]) vs\. shape\[1\] = (\[[\d,]*\])", message)
        or re.search(r"with input shapes: (\[[\d,?]*\]), (\[[\d,?]*\])", message)
    )
    return [] if match is None else [shape(text) for text in match.groups()]


def shape(text: str) -> str:
    """``[2,?]`` as ``(2, None)``."""
    parts = [part.strip().replace("?", "None") for part in text.strip("[]()").split(",")]
    parts = [part for part in parts if part]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def own_words(failure: Failure) -> str:
    """The error's own sentence."""
    text = failure.message.partition("\n\t [[")[0].partition(" [Op:")[0]
    text = re.sub(r"\{\{(function_node|node) [^}]*\}\}", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("File ", "Node:", "Arguments", "•"))]
    return (kept[-1] if kept else failure.message).rstrip(".") + "."


def _two(failure: Failure) -> tuple[Given, Given] | None:
    return (failure.given[0], failure.given[1]) if len(failure.given) > 1 else None


def _names(failure: Failure) -> tuple[str, str]:
    pair = _two(failure)
    if pair is not None and failure.direct:
        return pair[0].name, pair[1].name
    match = re.search(r"\]\(([^(),]+), ([^(),]+)\)' with input shapes", failure.message)
    return (match[1], match[2]) if match is not None else ("the first operand", "the second")


def _numbers(text: str) -> list[int | None]:
    parts = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
    return [int(part) if part.isdigit() else None for part in parts]


def _matmul(failure: Failure, match: re.Match[str]) -> Words:
    a, b = _names(failure)
    x, y = _numbers(match["a"]), _numbers(match["b"])
    if len(x) < 2 or len(y) < 2:
        return (
            f"{a} is {shape(match['a'])} and {b} is {shape(match['b'])}; both need two sizes or more.",
            "",
        )
    cause = (
        f"the last size of {a} is {x[-1]}, and the one before the last of {b} is {y[-2]}; they have to be "
        "equal."
    )
    if x[-1] == y[-1]:
        return cause, f"tf.matmul({a}, {b}, transpose_b=True), if it is meant so."
    if x[-2] == y[-2]:
        return cause, f"tf.matmul({a}, {b}, transpose_a=True), if it is meant so."
    return cause, ""


def _dimensions(failure: Failure, match: re.Match[str]) -> Words:
    if "MatMul" in match["op"]:
        return _matmul(failure, match)
    return _broadcast(failure, match)


def _broadcast(failure: Failure, match: re.Match[str]) -> Words:
    a, b = _names(failure)
    x, y = _numbers(match["a"]), _numbers(match["b"])
    cause = (
        f"{a} {shape(match['a'])} and {b} {shape(match['b'])} don't broadcast: counted from the last, "
        "sizes have to be equal or 1."
    )
    for name, short, long in ((a, x, y), (b, y, x)):
        for at in range(1, len(short) + 1 if len(short) < len(long) else 1):
            wider = [*short[:at], 1, *short[at:]]
            if all(m == n or 1 in (m, n) for m, n in zip(wider[::-1], long[::-1], strict=False)):
                return cause, f"tf.expand_dims({name}, {at}), if its sizes stand for the others."
    return cause, ""


def _dtypes(failure: Failure, match: re.Match[str]) -> Words:
    kinds = {"float": "float32", "double": "float64", "half": "float16"}
    wanted, got = (kinds.get(match[name], match[name]) for name in ("wanted", "got"))
    named = [item for item in failure.given if item.about.startswith(f"{got} ")]
    name = named[0].name if named else f"operand {match['which']}"
    if failure.direct and match["which"].isdigit() and int(match["which"]) < len(failure.given):
        name = failure.given[int(match["which"])].name
    cause = f"{name} is {got}, and has to be {wanted} as the others are."
    double = next((item.name for item in failure.given if item.about.startswith("float64 ")), "")
    if double and "float32" in (wanted, got):
        return (
            cause,
            f"tf.cast({double}, tf.float32), or make it so to begin with: numpy makes float64.",
        )
    return cause, f"tf.cast({name}, tf.{wanted}), or make it so to begin with."


def _joined(failure: Failure, match: re.Match[str]) -> Words:
    a, b = _names(failure)
    along = match["axis"]
    cause = (
        f"in dimension {along} {a} {shape(match['a'])} and {b} {shape(match['b'])} differ, and they are "
        "joined along another."
    )
    x, y = _numbers(match["a"]), _numbers(match["b"])
    apart = [at for at, (m, n) in enumerate(zip(x, y, strict=False)) if m != n]
    at = int(along)
    rest = {item.shape and item.shape[:at] + item.shape[at + 1 :] for item in failure.given}
    fits = apart == [at] and len(rest) <= 1
    return cause, f"axis={along}, along which they fit." if fits else ""


def _reshape(failure: Failure, match: re.Match[str]) -> Words:
    x = failure.given[0].name if failure.given else "the tensor"
    cause = f"{x} has {match['have']} elements, and the new shape holds {match['want']}."
    return cause, "-1 for the size that depends on the others."


def _layer(failure: Failure, match: re.Match[str]) -> Words:
    got = shape(match["got"])
    name = failure.given[0].name if failure.given else "what it is called with"
    wanted = match["wanted"].rstrip(",. ")
    cause = f"{failure.layer_name or match['layer']} is given {got} from {name}: expected {wanted}."
    axis = re.search(r"axis (-?\d+) of input shape to have value (\d+)", wanted)
    if axis is not None:
        has = _numbers(match["got"])[int(axis[1])]
        return cause, (
            f"give it a tensor whose size {axis[1]} is {axis[2]}, or make the layer (its keras.Input or "
            f"first call) for {has}."
        )
    rank = re.search(r"ndim=(\d+), found ndim=(\d+)", wanted)
    if rank is not None and int(rank[1]) == int(rank[2]) + 1:
        return cause, f"{name}[..., None] or tf.expand_dims({name}, -1), if a dimension is missing."
    return cause, ""


def _feed(failure: Failure, match: re.Match[str]) -> Words:
    name = failure.show_fed(match["name"])
    cause = f"{name} takes {shape(match['takes'])}, and is fed {shape(match['got'])}."
    return cause, "feed a value of that shape, or make the placeholder with None where sizes vary."


def _not_fed(failure: Failure, match: re.Match[str]) -> Words:
    name = match["name"]
    return f"placeholder {name!r} has no value in this run.", f'feed_dict={{"{name}:0": ...}}.'


def _index(failure: Failure, match: re.Match[str]) -> Words:
    last = int(match["end"]) - 1
    table = failure.given[0].name if failure.given and failure.direct else "the table"
    where = f" at [{match['at']}]" if match.groupdict().get("at") else ""
    cause = f"index {match['index']}{where} is outside of {table}, which has 0 to {last}."
    larger = int(match["index"]) + 1
    wider = "Embedding" in failure.message and larger > 0
    return cause, f"indices from 0 to {last}{f', or input_dim={larger} or more' if wider else ''}."


def _label(failure: Failure, match: re.Match[str]) -> Words:
    bad, end = int(match["index"]), int(match["end"])
    cause = f"the labels hold class {bad}, and the outputs have {end}: 0 to {end - 1}."
    return cause, f"a last layer with {bad + 1} outputs or more, or labels from 0 to {end - 1}."


def _assign(failure: Failure, match: re.Match[str]) -> Words:
    return f"the variable is {match['have']}, and the value {match['got']}.", (
        "assign a value of the variable's shape, or make the variable with shape=tf.TensorShape(None)."
    )


def _plain(failure: Failure, match: re.Match[str]) -> Words | None:
    return (own_words(failure), "") if failure.given else None


_SHAPE = r"\[[\d,? ]*\]"
_KNOWN: list[tuple[str, Say]] = [
    (
        rf"Dimensions must be equal, but are .* = (?P<op>\w+)\[.*with input shapes: (?P<a>{_SHAPE}), "
        rf"(?P<b>{_SHAPE})",
        _dimensions,
    ),
    (rf"In\[0\]: (?P<a>{_SHAPE}), In\[1\]: (?P<b>{_SHAPE})", _matmul),
    (rf"Incompatible shapes: (?P<a>{_SHAPE}) vs\. (?P<b>{_SHAPE})", _broadcast),
    (
        r"input #(?P<which>\d+)\(zero-based\) was expected to be a (?P<wanted>\w+) tensor but is a "
        r"(?P<got>\w+) tensor",
        _dtypes,
    ),
    (
        r"Input '(?P<which>\w+)' of '\w+' Op has type (?P<got>\w+) that does not match type "
        r"(?P<wanted>\w+) of argument",
        _dtypes,
    ),
    (
        rf"Dimension (?P<axis>\d+) in both shapes must be equal: shape\[0\] = (?P<a>{_SHAPE}) vs\. "
        rf"shape\[1\] = (?P<b>{_SHAPE})",
        _joined,
    ),
    (
        rf"Dimension (?P<axis>\d+) in both shapes must be equal.*Shapes are (?P<a>{_SHAPE}) and "
        rf"(?P<b>{_SHAPE})",
        _joined,
    ),
    (
        r"reshape is a tensor with (?P<have>\d+) values, but the requested shape has (?P<want>\d+)",
        _reshape,
    ),
    (
        r"Cannot reshape a tensor with (?P<have>\d+) elements to shape .* \((?P<want>\d+) elements\)",
        _reshape,
    ),
    (
        r"of layer ['\"]?(?P<layer>[\w.-]+?)['\"]? is incompatible with the layer: expected "
        r"(?P<wanted>.*?)(?:, but received input with shape|Full shape received:|\. Full shape received:) "
        r"(?P<got>\([^)]*\))",
        _layer,
    ),
    (
        r"Cannot feed value of shape (?P<got>\([^)]*\)) for Tensor '?(?P<name>[^\s',]+)'?, which has shape "
        r"'?(?P<takes>\([^)]*\))",
        _feed,
    ),
    (r"You must feed a value for placeholder tensor '(?P<name>[^']+)'", _not_fed),
    (r"indices\[(?P<at>[\d,]*)\] = (?P<index>-?\d+) is not in \[0, (?P<end>\d+)\)", _index),
    (
        r"label value of (?P<index>-?\d+) which is outside the valid range of \[0, (?P<end>\d+)\)",
        _label,
    ),
    (
        r"The variable shape (?P<have>\([^)]*\)), and the assigned value shape (?P<got>\([^)]*\)) are "
        r"incompatible",
        _assign,
    ),
    (r"must be rank|must have rank|must be a (vector|matrix|scalar)|different ndims", _plain),
    (r"[Ii]ncompatible shapes|[Ss]hape mismatch|[Ss]hapes? .*(must|incompatible|mismatch)", _plain),
    (r"(dtype|DType|type) .*(mismatch|does not match|must be|incompatible)", _plain),
]
