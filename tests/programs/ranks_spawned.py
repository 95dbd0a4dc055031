"""Spawns two ranks, each of which reads with a DataLoader worker: one forked, one spawned."""

import os
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return index * index  # @item


def work(index, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    dist.init_process_group("gloo", rank=index, world_size=2)
    context = ("fork", "spawn")[index]
    total = torch.zeros((), dtype=torch.int64)
    for item in DataLoader(Squares(), num_workers=1, multiprocessing_context=context):
        total += item.sum()
    dist.all_reduce(total)  # @sum
    print(f"rank {index} sum {int(total)}\n", end="", flush=True)  # in one piece
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(work, args=(sys.argv[1],), nprocs=2)
