"""THE loop: one fold, from random or pretrained weights to a checkpoint and the held-out rows' probabilities. It reads top to bottom.

Legend: N batch, C channels, S side in px, K columns of the table.
"""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3
from torch.utils.tensorboard import SummaryWriter

from competition.atomic import write_text
from competition.config import Config
from competition.console import progress, say
from competition.metrics import METRICS, score
from competition.task import Task
from models import checkpoint
from models.augment import pipeline
from models.backbones import InputSpec, build
from models.batches import Normalise, TrainBatches, seed_of
from models.device import workers_of
from models.errors import ModelError
from models.infer import predict
from models.losses import loss_for, smooth
from models.mixing import mixing
from models.optim import optimizer_for
from models.schedules import SCHEDULES, plateau_factor

STATE = "resume/state.safetensors"
VERSIONS = ("torch", "timm", "torchvision", "albumentations", "numpy")
TORCH_TYPE = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Stopped(Exception):
    """The fold was asked to stop and has saved its state; the same command goes on from there."""


@dataclass(frozen=True)
class FoldJob:
    """What one fold is made of. pixels: uint8 N x S x S x C of all training images; truth: float32 N x K; rows index both."""

    fold: int
    config: Config  # resolved: nothing in it is `auto` but [machine]
    task: Task
    metric: str
    spec: InputSpec
    pixels: np.ndarray
    truth: np.ndarray
    train_rows: np.ndarray
    held_rows: np.ndarray
    directory: Path


@dataclass(frozen=True)
class Fitted:
    """What a fold came to. probs: float32 N x K of the held-out rows; seconds: of training and validation, interruptions left out."""

    probs: np.ndarray
    score: float
    seconds: float
    weights_kept: str  # last, averaged or best


def fit(job: FoldJob, accelerator: Accelerator, stop: Callable[[], bool] = lambda: False) -> Fitted:
    """What the fold came to, after model.safetensors and model.json are in the job's directory.

    stop() is asked at every step; once it is true the state is saved and Stopped raised. A state that lies in the directory is
    continued, and ends bit for bit (on a CPU) as if it had never been interrupted.

    Raises: ModelError where the loss is no longer finite, or settings do not fit; Stopped.
    """
    config, optim, task, device = job.config, job.config.optim, job.task, accelerator.device
    seed = seed_of(config.seed, job.fold)
    torch.manual_seed(seed)
    network = build(config.model.backbone, len(task.classes), job.spec, config.model.weights, config.model.drop, config.model.drop_path)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer: Any = optimizer_for(network, optim)
    highest = [group["lr"] * group.get("lr_scale", 1.0) for group in optimizer.param_groups]
    ema = ModelEmaV3(network, decay=optim.ema, use_warmup=True) if optim.ema else None
    bare = network
    network, optimizer = accelerator.prepare(network, optimizer)

    scale = _scale_of(job)
    truth = torch.from_numpy((job.truth - scale[0]) / scale[1]).float().to(device)
    loss_of = loss_for(optim.loss, task)[1]
    mix = mixing(config.augment, task)
    normalise = Normalise(job.spec, device)
    transform = pipeline(config.augment.strength, job.spec.size_px, config.augment.symmetry, config.augment.extra, job.spec.channels)
    batches = TrainBatches(
        job.pixels, job.train_rows, transform, int(optim.batch), seed, (accelerator.process_index, accelerator.num_processes)
    )
    epochs, steps = int(optim.epochs), batches.steps
    schedule = SCHEDULES[optim.schedule]
    measure = partial(_measure, job, normalise, TORCH_TYPE[accelerator.mixed_precision], scale)
    kept = ema.module if ema else bare

    epoch, step, elapsed, total, history, best = 0, 0, 0.0, torch.zeros((), device=device), [], None
    state = checkpoint.load_state(job.directory / STATE)
    if state:
        epoch, step, elapsed, total, history, best = (state[name] for name in ("epoch", "step", "elapsed", "total", "history", "best"))
        total = total.to(device)
        bare.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if ema:
            ema.module.load_state_dict(state["ema"])
        if accelerator.scaler:
            accelerator.scaler.load_state_dict(state["scaler"])
        say(f"fold {job.fold}  goes on at epoch {epoch + 1}/{epochs}, step {step}/{steps}")

    def save(epoch: int, step: int, elapsed: float) -> None:
        if accelerator.is_main_process:
            parts = {"network": bare.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema and ema.module.state_dict()}
            parts |= {"scaler": accelerator.scaler and accelerator.scaler.state_dict(), "total": total, "history": history, "best": best}
            checkpoint.save_state(job.directory / STATE, {"epoch": epoch, "step": step, "elapsed": elapsed, **parts})

    stream = batches.stream(epoch, step, epochs, workers_of(config.machine, device), pin=device.type == "cuda")
    board = SummaryWriter(str(job.directory / "tensorboard"), purge_step=epoch + 1) if accelerator.is_main_process else None
    check_every = 1 if device.type == "cpu" else 50  # reading the loss makes a GPU wait
    started, saved = time.monotonic() - elapsed, time.monotonic()
    with progress(f"fold {job.fold}", epochs * steps * batches.batch, done=(epoch * steps + step) * batches.batch) as advance:
        while epoch < epochs:
            network.train()
            fallen = plateau_factor([row["held_out_loss"] for row in history], optim.patience) if optim.schedule == "plateau" else 1.0
            while step < steps:
                torch.manual_seed(seed_of(seed, epoch, step))  # dropout and mixing of this step, resumed or not
                factor = fallen * schedule((epoch * steps + step) / (epochs * steps), optim.warmup)
                for group, most in zip(optimizer.param_groups, highest, strict=True):
                    group["lr"] = most * factor
                images, rows = next(stream)
                x, y = normalise(images), smooth(truth[rows.to(device)], optim.label_smoothing, task)
                if mix:
                    x, y = mix(x, y)
                first = step - step % optim.accumulate
                moves = step + 1 in (first + optim.accumulate, steps)
                loss = loss_of(network(x), y)
                accelerator.backward(loss / (min(first + optim.accumulate, steps) - first))
                total += loss.detach()
                if moves:
                    if optim.clip_norm:
                        accelerator.clip_grad_norm_(network.parameters(), optim.clip_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                    if ema:
                        ema.update(bare, step=epoch * steps + step)
                step += 1
                advance(len(rows) * accelerator.num_processes)
                if (step % check_every == 0 or step == steps) and not math.isfinite(float(total)):
                    raise ModelError(_diverged(job, f"epoch {epoch + 1}, step {step}"))
                if moves and step < steps and (stop() or time.monotonic() - saved >= config.machine.save_seconds):
                    save(epoch, step, time.monotonic() - started)
                    saved = time.monotonic()
                    if stop():
                        raise Stopped
            probs, held_loss, held_score = measure(kept)
            seconds = time.monotonic() - started
            train_loss = float(total) / steps
            history.append(
                {
                    "epoch": epoch + 1,
                    "seconds": round(seconds, 3),
                    "lr": highest[-1] * factor,
                    "train_loss": train_loss,
                    "held_out_loss": held_loss,
                    job.metric: held_score,
                }
            )
            if optim.keep == "best" and (best is None or _better(job.metric, held_score, best["score"])):
                best = {
                    "epoch": epoch + 1,
                    "score": held_score,
                    "weights": {name: value.clone() for name, value in kept.state_dict().items()},
                }
            epoch, step = epoch + 1, 0
            total = torch.zeros((), device=device)
            if board:
                _record(board, job.directory, history)
            save(epoch, step, seconds)
            saved = time.monotonic()
            spent = seconds - (history[-2]["seconds"] if epoch > 1 else 0)
            say(
                f"fold {job.fold}  epoch {epoch}/{epochs}  {spent:.1f} s  lr {history[-1]['lr']:.2e}  "
                f"loss {train_loss:.4f}  held-out loss {held_loss:.4f}  {job.metric} {held_score:.5f}"
            )
            if stop() and epoch < epochs:
                raise Stopped

    if board:
        board.close()
    if best is not None:
        kept.load_state_dict(best["weights"])
    probs, _, final = measure(kept)
    weights_kept = "best" if best else "averaged" if ema else "last"
    if accelerator.is_main_process:
        described = checkpoint.Checkpoint(
            backbone=config.model.backbone,
            task=task,
            spec=job.spec,
            scale=scale,
            weights_kept=weights_kept,
            symmetry=config.augment.symmetry,
            config=config.model_dump(mode="json", exclude={"machine"}),
            versions={name: version(name) for name in VERSIONS},
        )
        checkpoint.save(job.directory, kept, described)
    return Fitted(probs, final, history[-1]["seconds"], weights_kept)


def _scale_of(job: FoldJob) -> tuple[float, float]:
    """Mean and spread of a regression's target over the training rows, so that losses and rates are those of any other task."""
    if job.task.kind != "regression":
        return 0.0, 1.0
    values = job.truth[job.train_rows]
    return float(values.mean()), float(values.std()) or 1.0


def _measure(
    job: FoldJob, normalise: Normalise, autocast: torch.dtype | None, scale: tuple[float, float], network: torch.nn.Module
) -> tuple[np.ndarray, float, float]:
    """Probabilities, loss and metric of the held-out rows. The loss is the log loss, or the squared error in units of the spread."""
    probs = predict(
        [network], [scale], job.pixels, job.held_rows, job.task, normalise, batch=2 * int(job.config.optim.batch), autocast=autocast
    )
    if not np.isfinite(probs).all():
        raise ModelError(_diverged(job, "held-out rows"))
    truth = job.truth[job.held_rows]
    if job.task.kind == "regression":
        loss = float((((probs - truth) / scale[1]) ** 2).mean())
    else:
        clipped = np.clip(probs, 1e-7, 1 - 1e-7)
        each = -truth * np.log(clipped) - (0 if job.task.one_of_many else (1 - truth) * np.log(1 - clipped))
        loss = float(each.sum(axis=1).mean() if job.task.one_of_many else each.mean())
    return probs, loss, score(job.metric, truth, probs, job.task)


def _better(metric: str, one: float, other: float) -> bool:
    """Whether `one` is the better score; one that is not defined (nan) is worse than any."""
    if math.isnan(other):
        return not math.isnan(one)
    return one > other if METRICS[metric].greater_is_better else one < other


def _record(board: SummaryWriter, directory: Path, history: list[dict[str, float]]) -> None:
    """history.csv whole, and the newest epoch for TensorBoard."""
    for name, value in history[-1].items():
        if name != "epoch":
            board.add_scalar(name, value, int(history[-1]["epoch"]))
    board.flush()
    text = io.StringIO()
    rows = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(history)
    write_text(directory / "history.csv", text.getvalue())


def _diverged(job: FoldJob, where: str) -> str:
    optim = job.config.optim
    tries = [f"a lower rate (--optim.lr {float(optim.lr) / 5:.1e})"]
    if not optim.clip_norm:
        tries.append("clipping (--optim.clip-norm 1)")
    if optim.warmup < 0.05:
        tries.append("a longer warm-up (--optim.warmup 0.1)")
    tries.append("full precision (--machine.amp off)")
    return f"fold {job.fold}, {where}: the loss is no longer finite. Try {', or '.join(tries)}. What was finished before is kept"
