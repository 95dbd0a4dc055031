"""What the training programs share: how a run is told from another, to the bit."""

import hashlib

import torch


def digest(model):
    """A hash of all weights, buffers, and the state of the random generator."""
    found = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update(value.numpy().tobytes())
    found.update(torch.get_rng_state().numpy().tobytes())
    return found.hexdigest()
