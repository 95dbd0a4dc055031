"""Operations and autograd Nodes that can't be the first to hold a NaN, by name.

A name that isn't here costs time, and nothing else.
"""

from __future__ import annotations

import math
from types import FrameType
from typing import Any

_SCALER = ("torch.amp.", "torch.cuda.amp.")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


GARBAGE = _names("empty empty_like empty_strided new_empty new_empty_strided resize_ resize_as_")
"""Operations whose results hold whatever the memory held."""

MOVING_OPERATIONS = _names("""
    view reshape transpose permute expand expand_as squeeze unsqueeze chunk split flatten unflatten T mT t
    contiguous detach detach_ clone __getitem__ __setitem__ narrow select unbind index_select gather
    relu relu_ dropout cat stack hstack vstack max_pool1d max_pool2d max_pool3d abs neg __neg__
    masked_select roll flip repeat tile sort topk triu tril view_as reshape_as swapaxes movedim embedding
    zeros_like ones_like zeros ones arange linspace randint rand randn rand_like randn_like tensor eye
    as_tensor from_numpy randperm new_zeros new_ones data requires_grad_ normal_ uniform_ zero_ sign round
    floor ceil leaky_relu split_with_sizes tensor_split unfold broadcast_to atleast_1d atleast_2d diagonal
""")
"""Operations that hand numbers on, or make finite ones: no NaN in their results that no input held."""

MOVING_NODES = _names("""
    AccumulateGrad T View UnsafeView Transpose Permute Expand Squeeze Unsqueeze Split SplitWithSizes Chunk
    Slice Select Clone Alias ReshapeAlias AsStrided Detach Unbind Diagonal Narrow Unfold Cat Stack
""")
"""Nodes, without ``Backward0``, that hand gradients on, or sums of them."""

BOUNDED_NODES = _names("""
    Addmm Mm Bmm Baddbmm Addbmm Mv Dot Linear Mul Add Sub Rsub Neg Relu LeakyRelu Gelu Silu Elu Selu
    Hardtanh Hardswish Tanh Sigmoid LogSigmoid Softmax LogSoftmax NllLoss NllLoss2D NativeLayerNorm
    NativeBatchNorm NativeGroupNorm Convolution MkldnnConvolution Embedding EmbeddingBag Mean Sum Softplus
    MaxPool2DWithIndices AvgPool2D AdaptiveAvgPool2D NativeDropout Index IndexSelect Gather Sign Einsum
    Where MaskedFill MaskedSelect Clamp ClampMin ClampMax ToCopy MseLoss SmoothL1Loss L1Loss HuberLoss
    BinaryCrossEntropyWithLogits Sin Cos Max Min Amax Amin Repeat Flip Roll ConstantPadNd Abs Tril Triu
    CopySlices CopyBackwards
""")
"""Nodes whose gradients are products of finite numbers: only an overflow makes them infinite."""


def odd_number(called: Any) -> bool:
    """Whether a number that isn't finite stands among the arguments."""
    args, kwargs = called
    return any(
        isinstance(item, float) and not math.isfinite(item)
        for item in (*args, *(kwargs or {}).values())
    )


def of_a_scaler(caller: FrameType) -> bool:
    """Whether ``GradScaler`` called."""
    return str(caller.f_globals.get("__name__", "")).startswith(_SCALER)
