"""What launchers tell the ranks of a distributed job in their environment.

Standard library only; imported by whoever wants to know a rank.
"""

from __future__ import annotations

from collections.abc import Mapping

RANK = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""The rank among all, in the order in which they are believed: torchrun's may run under SLURM's."""

LOCAL_RANK = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")
"""The rank among those of one machine."""

LOCAL_SIZE = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")
"""How many ranks this machine has."""

SIZE = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")
"""How many ranks there are."""


def number(variables: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    """The number that the first of these variables has; None where none has one."""
    for name in names:
        value = variables.get(name, "")
        if value.isdigit():
            return int(value)
    return None
