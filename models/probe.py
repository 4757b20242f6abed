"""A probe: each image is looked at once by a backbone that stays as it is, and a regularised linear model is fitted on what it gives.

The model is logistic (of one or several labels) or ridge regression, by scikit-learn, and becomes the network's last layer: predicting
needs nothing new. Columns of the competition's tables stand beside what the backbone gives. How strongly the model is held back is chosen
on rows that another fold holds out, never on the fold that is scored.

Legend: N images, S side in px, C channels, D features, K columns of the table, V views.
"""

import copy
import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from competition.atomic import read_array, write_array
from competition.cache import Pixels
from competition.console import progress, say
from competition.metrics import score
from competition.processes import PROCESSES
from models.backbones import last_layer, network_of
from models.batches import Normalise, in_order, seed_of
from models.columns import width_of
from models.device import TORCH_TYPE, looked_at_once, threads_of
from models.engines import ready
from models.errors import ModelError
from models.heads import Head, head_for
from models.job import Fitted, FoldJob, Stopped, save_checkpoint, table_loss
from models.joint import join_columns
from models.losses import class_weights
from models.memory import in_portions
from models.together import main_first
from models.tta import VIEW_SETS, VIEWS

LINK = {"binary": "softmax", "multiclass": "softmax", "ordinal": "softmax", "multilabel": "sigmoid", "regression": "identity"}
STRENGTHS = 10.0 ** np.arange(1, -6, -1)  # of the penalty, on the mean loss of standardised features
LEAST_WEIGHT = 1e-3  # a class that a soft label holds for less likely is left out
UNSEEN = -9.0  # the bias of a class that no training row shows
BATCH = 64


def probe(job: FoldJob, accelerator: Accelerator, stop: Callable[[], bool] = lambda: False) -> Fitted:
    """What the fold came to, after model.safetensors and model.json are in the job's directory.

    Raises: ModelError where the backbone does not end in a linear layer; Stopped.
    """
    started, config = monotonic(), job.config
    head = head_for(LINK[job.task.kind], job.task, job.taught[job.train_rows])
    torch.manual_seed(seed_of(config.seed))  # all folds have the same backbone, also where it is random
    network = network_of(config.model, head.outputs(job.task), job.spec)
    network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    views = VIEW_SETS["identity" if config.augment.symmetry == "none" else "hflip"]
    parts = [part for part in (job.pixels, job.more_pixels) if part is not None]
    with main_first():  # the others find in the cache what it saw
        features = np.concatenate([embed(network, part, job, accelerator, views, stop) for part in parts], axis=1)
    if job.numbers is not None:
        told = np.broadcast_to(job.numbers.astype(features.dtype), (len(views), *job.numbers.shape))
        features = np.concatenate([features, told], axis=2)
    if stop():
        raise Stopped

    def table(rows: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        logits = features[:, rows].astype(np.float32) @ weight.T + bias
        return torch.stack([head.table(torch.from_numpy(view)) for view in logits]).mean(dim=0).numpy()

    tuning = job.tuning_rows
    apart = np.setdiff1d(job.train_rows, tuning)
    losses = []
    for strength in STRENGTHS:
        found = linear(features, apart, job, head, float(strength))
        losses.append(table_loss(job.task, head, job.taught[tuning], table(tuning, *found)))
        if losses[-1] > min(losses):  # it has one lowest point
            break
    strength = float(STRENGTHS[int(np.argmin(losses))])
    weight, bias = linear(features, job.train_rows, job, head, strength)
    probs = table(job.held_rows, weight, bias)
    truth = job.truth[job.held_rows]
    loss, final = math.nan, math.nan
    if len(truth):
        loss, final = table_loss(job.task, head, truth, probs), score(job.metric, truth, probs, job.task)
    if job.columns:
        join_columns(network, last_layer(network), width_of(job.columns), 0, head.outputs(job.task))
    last: nn.Linear = network.get_submodule(last_layer(network))  # type: ignore[assignment]
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(weight))
        last.bias.copy_(torch.from_numpy(bias))
    seconds = monotonic() - started
    say(f"{job.name}  probe  {seconds:.1f} s  penalty {strength:.0e}  held-out loss {loss:.4f}  {job.metric} {final:.5f}")
    if accelerator.is_main_process:
        symmetry = "none" if len(views) == 1 else "horizontal"
        done = {
            "augment": config.augment.model_copy(update={"symmetry": symmetry}),
            "model": config.model.model_copy(update={"column_units": 0}),
        }
        save_checkpoint(replace(job, config=config.model_copy(update=done)), network, head, "last")
    return Fitted(probs, final, seconds, "last")


def embed(
    network: nn.Module,
    pixels: Pixels | np.ndarray,
    job: FoldJob,
    accelerator: Accelerator,
    views: tuple[str, ...],
    stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """float16 V x N x D: what the last layer is given. Looked at once, and kept in the cache for the other folds and runs.

    Raises: Stopped.
    """
    asked, last = hashlib.sha256(repr((job.spec, views, pixels.shape)).encode()), last_layer(network)
    for name, value in network.state_dict().items():
        if not name.startswith(last):
            asked.update(value.cpu().contiguous().numpy().tobytes())
    for start in range(0, len(pixels), BATCH):
        asked.update(pixels[start : start + BATCH].tobytes())
    machine = job.config.machine
    path = Path(machine.cache) / job.config.competition.slug / f"features-{asked.hexdigest()[:16]}.npy"
    if (kept := read_array(path, (len(views), len(pixels), -1), np.float16, mapped=True)) is not None:
        return kept
    body = copy.deepcopy(network).eval()
    body.set_submodule(last, nn.Identity())
    normalise = Normalise(job.spec, accelerator.device)
    looks = [(normalise(torch.from_numpy(np.array(pixels[:2]))),)]
    (forward,) = ready([body], looks, machine.inference, len(pixels) * len(views), threads_of(machine), [path.parent])
    autocast = TORCH_TYPE[accelerator.mixed_precision]
    parts = []

    def look(rows: np.ndarray) -> np.ndarray:
        (images,) = in_order(pixels, rows, len(rows))
        x = normalise(images)
        return torch.stack([forward(VIEWS[view](x)) for view in views]).half().cpu().numpy()

    with (
        progress("looking", len(pixels)) as advance,
        torch.inference_mode(),
        torch.autocast(accelerator.device.type, dtype=autocast, enabled=autocast is not None),
    ):
        for seen in in_portions(np.arange(len(pixels)), looked_at_once(job.spec.size_px, accelerator.device), look):
            if PROCESSES == 1 and stop():
                raise Stopped
            parts.append(seen)
            advance(seen.shape[1])
    features = np.concatenate(parts, axis=1)
    if not np.isfinite(features).all():
        raise ModelError(f"{job.config.model.backbone} gives features that are not finite; try --machine.amp off, or other weights")
    write_array(path, features)
    return features


def linear(features: np.ndarray, rows: np.ndarray, job: FoldJob, head: Head, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """float32 K x D and K: the linear model of these rows in all views (features: V x N x D), held back by `strength`."""
    x = features[:, rows].astype(np.float32).reshape(-1, features.shape[-1])
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1)
    x = (x - middle) / spread
    taught = np.tile(job.taught[rows], (len(features), 1))
    if job.task.kind == "regression":
        ridge = Ridge(alpha=strength * len(x)).fit(x, head.scaled(taught))
        weight, bias = ridge.coef_.reshape(taught.shape[1], -1), ridge.intercept_
    else:
        weights = class_weights(job.config.optim.class_weights, job.taught[rows], job.task)
        costs = np.ones(taught.shape[1]) if weights is None else weights.numpy()
        if job.task.one_of_many:
            weight, bias = _logistic(x, taught * costs, strength)
        else:
            columns = [np.column_stack([1 - taught[:, k], taught[:, k] * costs[k]]) for k in range(taught.shape[1])]
            found = [_logistic(x, column, strength) for column in columns]
            weight = np.stack([own[1] - own[0] for own, _ in found])
            bias = np.array([own[1] - own[0] for _, own in found])
    weight = weight / spread
    return weight.astype(np.float32), (bias - weight @ middle).astype(np.float32)


def _logistic(x: np.ndarray, taught: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """K x D and K of a multinomial logistic regression; taught: N x K, how much each class weighs in a row."""
    row, label = np.nonzero(taught > LEAST_WEIGHT)
    classes = np.unique(label)
    weight, bias = np.zeros((taught.shape[1], x.shape[1])), np.full(taught.shape[1], UNSEEN)
    if len(classes) == 1:
        bias[classes] = 0
        return weight, bias
    cost = taught[row, label]
    model = LogisticRegression(C=1 / (strength * cost.sum()), max_iter=300, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties; another is then chosen
        model.fit(x if len(row) == len(x) else x[row], label, sample_weight=cost)
    two = len(classes) == 2  # scikit-learn then gives the second against the first
    weight[classes] = np.concatenate([-model.coef_ / 2, model.coef_ / 2]) if two else model.coef_
    bias[classes] = np.concatenate([-model.intercept_ / 2, model.intercept_ / 2]) if two else model.intercept_
    return weight, bias
