"""How a fold is fitted, by name: (job, accelerator, stop) -> Fitted, with model.safetensors and model.json in the job's directory.

What one of them needs (scikit-learn's linear models, say) is imported when it is asked for.
"""

from collections.abc import Callable
from typing import Any

from models.job import Fitted


def _train(*given: Any) -> Fitted:
    from models.fit import fit

    return fit(*given)


def _probe(*given: Any) -> Fitted:
    from models.probe import probe

    return probe(*given)


METHODS: dict[str, Callable[..., Fitted]] = {"train": _train, "probe": _probe}
