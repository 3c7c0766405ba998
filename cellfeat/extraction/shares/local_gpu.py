"""The GPU of one of several processes on a machine."""

from collections.abc import Mapping

import torch

from cellfeat.config import Settings
from cellfeat.config_sources import override_settings
from cellfeat.extraction.shares.environment import local_rank


def on_local_gpu(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Give the settings with the GPU of this process, where torchrun or srun started several on a machine.

    A device that the settings name by its number is kept, as is everything where there is no GPU. Processes take turns
    where there are fewer GPUs, or each process is shown one alone.

    Parameters
    ----------
    settings
        The settings.
    environ
        The environment variables.
    """
    rank = local_rank(environ)
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if rank is None or not n_gpus or settings.extraction.device not in ("auto", "cuda"):
        return settings
    return override_settings(settings, {"extraction.device": f"cuda:{rank % n_gpus}"})
