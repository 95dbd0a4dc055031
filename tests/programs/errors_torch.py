"""Operations on tensors that raise, each in a function ``case_x``; its line is marked ``x``."""

import os
import sys
import weakref

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "site-packages"))
import blocks

kept = []
"""Of tensors that nobody may keep once their error is handled."""


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(12, 6)
        self.second = nn.Linear(5, 2)  # @nested_made

    def forward(self, x):
        x = x.flatten(1)  # @nested_flatten
        x = F.relu(self.first(x))  # @nested_relu
        return self.second(x)  # @nested


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Identity(), nn.ModuleList([Head()])[0])

    def forward(self, images):
        return self.body[1](images)  # @nested_call


def case_nested():
    model = Net()
    for batch in [torch.ones(2, 3, 4)]:  # @nested_loop
        kept.append(weakref.ref(batch))
        model(batch)


def case_sequence():
    layers = [nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(6, 2)]
    model = nn.Sequential(*layers)  # @sequence_made
    x = torch.ones(2, 3, 4)
    model(x)  # @sequence


def case_matmul():
    a = torch.ones(2, 3)  # @matmul_a
    b = torch.ones(2, 3)
    return a @ b  # @matmul


def case_temporary():
    a = torch.ones(2, 3)
    return a.relu() @ a.sigmoid()  # @temporary


def case_cat():
    a = torch.ones(2, 3)
    b = torch.ones(2, 4)
    return torch.cat([a, b])  # @cat


def case_channels():
    conv = nn.Conv2d(3, 8, 3)
    images = torch.ones(4, 1, 8, 8)
    return conv(images)  # @channels


def case_dtype():
    layer = nn.Linear(3, 2)
    x = torch.arange(3).view(1, 3)
    return layer(x)  # @dtype


def case_target_dtype():
    out, target = torch.ones(4, 3), torch.ones(4)
    return F.cross_entropy(out, target)  # @target_dtype


def case_target_rows():
    out, target = torch.ones(4, 3), torch.ones(5).long()
    return nn.CrossEntropyLoss()(out, target)  # @target_rows


def case_target_class():
    out, target = torch.ones(2, 3), torch.tensor([1, 3])
    return F.cross_entropy(out, target)  # @target_class


def case_embedding():
    table = nn.Embedding(10, 3)  # @embedding_made
    tokens = torch.tensor([1, 10])
    return table(tokens)  # @embedding


def case_device():
    layer = nn.Linear(3, 2, device="meta")  # @device_made
    x = torch.ones(4, 3)
    return layer(x)  # @device


def case_broadcast():
    a = torch.ones(4, 3)
    b = torch.ones(4)
    return a * b  # @broadcast


def case_view():
    x = torch.ones(3, 4)
    return x.view(5, 2)  # @view


def case_stride():
    x = torch.ones(3, 4).t()
    return x.view(12)  # @stride


def case_element():
    a = torch.zeros(3)
    b = torch.ones(3)
    a[:2] = b  # @element


def case_branches():
    x = torch.ones(3, 4)
    if x.sum() > 100:
        x = x.t()  # @branches_then
    elif x.dim() == 2:
        x = x * 2  # @branches_else
    return x.view(5, 2)  # @branches


def case_loss_size():
    out = torch.ones(4, 1)
    target = torch.ones(4)
    return F.binary_cross_entropy_with_logits(out, target)  # @loss_size


def case_leaf():
    w = torch.ones(3, requires_grad=True)
    w += 1  # @leaf


def case_saved_output():
    x = torch.ones(3, requires_grad=True)
    y = x.sigmoid()  # @saved_output_made
    y += 1  # @saved_output_changed
    y.sum().backward()  # @saved_output


def case_saved_input():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    z = y * y  # @saved_input_made
    F.relu(y, inplace=True)  # @saved_input_changed
    loss = z.sum()
    kept.append(weakref.ref(loss))
    loss.backward()  # @saved_input


def case_saved_unseen():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    loss = (y * y).sum()  # @saved_unseen_made
    with torch.no_grad():
        y.zero_()  # @saved_unseen_changed
    loss.backward()


def case_updated():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    out = model(torch.ones(5, 3))
    out.sum().backward(retain_graph=True)
    optimizer.step()  # @updated_step
    out.mean().backward()  # @updated


def case_twice():
    x = torch.ones(3, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()  # @twice_first
    loss.backward()  # @twice


def case_carried():
    cell = nn.RNNCell(3, 4)
    optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
    h = torch.zeros(2, 4)
    for _ in range(2):
        h = cell(torch.ones(2, 3), h)  # @carried_read
        loss = h.sum()
        loss.backward()  # @carried
        optimizer.step()


def case_no_graph():
    x = torch.ones(3)
    loss = x.sum()
    loss.backward()  # @no_graph


def case_not_scalar():
    x = torch.ones(3, requires_grad=True)
    loss = x * 2
    loss.backward()  # @not_scalar


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod  # @wrong_gradient_backward
    def backward(ctx, gradient):
        return gradient[:1].expand(2)


def case_wrong_gradient():
    y = Twice.apply(torch.ones(3, requires_grad=True))
    y.sum().backward()  # @wrong_gradient


def case_state():
    model = nn.Linear(3, 2)
    checkpoint = nn.Linear(4, 2).state_dict()
    model.load_state_dict(checkpoint)  # @state


def case_state_of_optimizer():
    w = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w])
    w.sum().backward()
    optimizer.step()
    w.data, w.grad = torch.ones(4), torch.ones(4)
    optimizer.step()  # @state_of_optimizer


def case_library():
    model = blocks.Body(8)
    embeds = torch.ones(2, 5, 12)
    return model(embeds)  # @library


def case_library_operation():
    model = blocks.Body(8)
    mask = torch.ones(2, 4)
    return model(torch.ones(2, 5, 8), mask)  # @library_operation


def case_worker():
    a, b = torch.ones(2, 3), torch.ones(2, 3)
    blocks.of_worker(a, b)


def case_three():
    mask = torch.ones(4, 3).bool()
    a, b = torch.ones(4, 3), torch.ones(4)
    return torch.where(mask, a, b)


def case_attention():
    q, k, v = torch.ones(2, 6, 8), torch.ones(2, 5, 7), torch.ones(2, 5, 8)
    return F.scaled_dot_product_attention(q, k, v)  # @attention


def case_functional():
    x, w = torch.ones(4, 5), torch.ones(3, 2)
    return F.linear(x, w)


def case_weighted():
    out, y, weight = torch.ones(4, 3), torch.ones(4, 1).long(), torch.ones(3)
    return F.cross_entropy(out, y, weight=weight)


def case_product_dtype():
    a, b = torch.ones(2, 3, 4).long(), torch.ones(2, 4, 5)
    return torch.bmm(a, b)


def case_unbatched():
    img = torch.ones(1, 8, 8)
    return nn.Conv2d(3, 8, 3)(img)


def case_stacked():
    a, b = torch.ones(2, 3), torch.ones(4, 5)
    return torch.vstack([a, b])


def case_element_of_several():
    a = torch.ones(2, requires_grad=True).sum()
    b = torch.ones(2).sum()
    torch.autograd.backward([a, b])  # @element_of_several


def case_made_once():
    table, head = nn.Linear(3, 3), nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*table.parameters(), *head.parameters()], lr=0.1)
    made = table(torch.ones(2, 3)).tanh()
    for _ in range(2):
        loss = head(made).tanh().sum()
        loss.backward()
        optimizer.step()


def refuse(what):
    """graphdebug may not run code of the program's."""
    if "graphdebug" in sys._getframe(2).f_code.co_filename:
        raise AssertionError(f"graphdebug asked for {what}")


def case_saved_by_several():
    scores = torch.randn(4, 4, requires_grad=True)
    p = scores.softmax(-1)
    p[p < 0.1] = 0  # @saved_by_several
    p.sum().backward()


def case_changed_twice():
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    y.mul_(2)
    y.add_(1)
    y.sum().backward()


def case_updated_by_hand():
    w = torch.ones(3, requires_grad=True)
    loss = (w * torch.ones(3, requires_grad=True)).sum()
    with torch.no_grad():
        w -= 0.1  # @updated_by_hand
    loss.backward()


class Odd:
    tensor = torch.ones(4, 5)

    def __getattribute__(self, name):
        refuse(name)
        return object.__getattribute__(self, name)


class Descriptor:
    def __getattr__(self, name):
        refuse(name)
        raise AttributeError(name)


class Unlike(nn.Module):
    described = Descriptor()

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.odd = Odd()

    def named_parameters(self, *args, **kwargs):
        refuse("parameters")
        return super().named_parameters(*args, **kwargs)

    @property
    def projection(self):
        refuse("a property")
        return self.linear

    def forward(self, odd):
        y = self.odd.tensor  # @hostile_y
        return self.projection(y)


def case_hostile():
    odd = Odd()
    return Unlike()(odd)


def case_hostile_saved():
    model = Unlike()
    y = model.linear(torch.ones(2, 3))
    z = y * y
    y.add_(1)  # @hostile_saved
    z.sum().backward()


def case_not_raised_by_torch():
    raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")


def case_not_of_these_kinds():
    return {}["mat1 and mat2 shapes cannot be multiplied"]


def case_not_about_operands():
    return torch.linalg.inv(torch.zeros(2, 2))


def ends():
    case_nested()


def ends_otherwise():
    import sys

    sys.excepthook = lambda kind, error, traceback: print(f"mine: {error}", file=sys.stderr)
    case_matmul()


def ends_with_another_error():
    try:
        case_matmul()
    except RuntimeError as error:
        raise SystemExit(3) from error


def multiplied():
    x = torch.ones(2, 3)  # @handled_made
    try:
        x @ x  # @handled
    except RuntimeError:
        pass
    return weakref.ref(x)  # a stop keeps the locals of the frame it is in, until that is over


def handled():
    """Errors that the program handles itself: nothing of them stays."""
    for _ in range(2):
        assert multiplied()() is None
    try:
        case_not_raised_by_torch()
    except RuntimeError as error:
        print("as it was:", error, getattr(error, "__notes__", None))
    case_matmul()
