"""How a fold is fitted, by name: (job, accelerator, stop) -> Fitted, with model.safetensors and model.json in the job's directory."""

from collections.abc import Callable

from models.fit import fit
from models.job import Fitted
from models.probe import probe

METHODS: dict[str, Callable[..., Fitted]] = {"train": fit, "probe": probe}
