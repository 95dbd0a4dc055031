"""Tensors of every kind, contexts and copies: all of it must run as it does alone."""

import copy
import io
import pickle
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Named(torch.Tensor):
    calls = []  # noqa: RUF012

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(getattr(func, "__name__", str(func)))
        return super().__torch_function__(func, types, args, kwargs or {})


class Function(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(getattr(func, "__name__", str(func)))
        return func(*args, **(kwargs or {}))


class Dispatch(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.tensor(float(index)) ** 2


def subclasses():
    x = torch.ones(3).as_subclass(Named)
    y = (x * 2).sum()
    print("subclass", y.item(), Named.calls)


def modes():
    x = torch.ones(2, 2)
    with Function() as function:
        (x @ x).relu().sum()
    with Dispatch() as dispatch:
        (x @ x).relu().sum()
    print("modes", function.seen, dispatch.seen)


def kinds():
    x = torch.randn(3, 3)
    print("sparse", (x.to_sparse() + x.to_sparse()).to_dense().sum().item().hex())
    print("csr", (x.to_sparse_csr() @ x).sum().item().hex())
    quantized = torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)
    print("quantized", quantized.dequantize().sum().item().hex())
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    print("nested", (nested * 2).to_padded_tensor(0.0).sum().item())
    jagged = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    print("jagged", (jagged * 2).sum().item())
    print("meta", (torch.empty(2, 3, device="meta") @ torch.empty(3, 4, device="meta")).shape)
    with FakeTensorMode() as fake:
        print("fake", (fake.from_tensor(x) @ torch.ones(3, 3)).shape)
    print("complex", torch.fft.fft(x).abs().sum().item().hex())
    lazy = nn.LazyLinear(2)
    print("lazy", lazy(torch.ones(1, 3)).shape)
    print("empty", torch.ones(0, 3).sum().item(), torch.tensor(float("nan")) * 2)


def contexts():
    with torch.device("meta"):
        print("device", torch.ones(2).device)
    torch.set_default_device("cpu")
    print("default", torch.ones(2).device, torch.get_default_device())
    torch.set_default_device(None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        print("autocast", (torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    with torch.inference_mode():
        print("inference", torch.ones(2).add(1).is_inference())


def copies():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file))
    optimizer = torch.optim.Adam(twin.parameters())
    again = pickle.loads(pickle.dumps(optimizer))
    print(
        "copies",
        len(pickle.dumps(model)),
        type(again).__name__,
        copy.deepcopy(optimizer).defaults["lr"],
    )
    print("repr", model, torch.arange(3.0), str(twin[0].weight.shape))


def workers():
    loader = torch.utils.data.DataLoader(Squares(), batch_size=4, num_workers=2)
    print("workers", [batch.tolist() for batch in loader])


def warned():
    for _ in range(2):
        F.mse_loss(torch.ones(2, 3), torch.ones(3))
    torch.ones(2, 2, 2).T  # noqa: B018
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        F.l1_loss(torch.ones(2, 3), torch.ones(3))
        nn.Softmax()(torch.ones(2))
    print("caught", [(item.filename == __file__, item.lineno) for item in caught[:1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            F.mse_loss(torch.ones(2, 3), torch.ones(3, 1, 1))
        except UserWarning as warning:
            print("error", str(warning)[:20])


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for part in (subclasses, modes, kinds, contexts, copies, workers, warned):
        part()


main()
