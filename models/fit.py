"""THE loop: one fold, from random or pretrained weights to a checkpoint and the held-out rows' probabilities. It reads top to bottom.

Legend: N batch, C channels, S side in px, K columns of the table.
"""

import csv
import io
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim.swa_utils import AveragedModel

from competition.atomic import write_text
from competition.console import progress, say
from competition.diagnosis import diagnose, in_a_line
from competition.metrics import METRICS, score
from competition.processes import PROCESSES, RANK
from models import checkpoint
from models.batches import seed_of
from models.clock import Clock
from models.device import TORCH_TYPE, compiled, workers_of
from models.errors import ModelError
from models.finetune import check_sides, resized, side_at
from models.infer import predict
from models.job import Fitted, FoldJob, Stopped, save_checkpoint, table_loss
from models.loggers import check_loggers, close, open_loggers, record
from models.memory import Portions
from models.optim import optimizer_for
from models.parts import Parts, parts_of
from models.sam import sharpest
from models.schedules import SCHEDULES, plateau_factor
from models.together import gathered, share_buffers

STATE = "resume/state.safetensors"
BETWEEN_EPOCHS_SECONDS = 10.0  # since the last saved state: short epochs are not held up by the disk
HISTORY = "history.csv"
LOST = "DataLoader worker"  # how torch begins to tell of one that was killed
MOST_LOST = 3  # times
STOP_SECONDS = 5.0  # that a validation may still take once a stop is asked for: a machine that is taken back leaves thirty


def fit(job: FoldJob, accelerator: Accelerator, stop: Callable[[], bool] = lambda: False) -> Fitted:
    """What the fold came to, as `fit_once` tells. Where a process that prepares batches is lost, it goes on from the last saved state.

    Raises: as `fit_once`; ModelError where they are lost again and again.
    """
    for tried in range(1, MOST_LOST + 1):
        try:
            return fit_once(job, accelerator, stop)
        except RuntimeError as error:
            if not str(error).startswith(LOST):
                raise
            lost = str(error).splitlines()[0]
        finally:
            accelerator.free_memory()  # it would keep each fold's network and optimizer
        if PROCESSES > 1 or tried == MOST_LOST:
            break
        if stop():
            raise Stopped
        say(f"{job.name}  a process that prepares batches is gone: {lost}; going on from the last saved state")
    raise ModelError(
        f"{job.name}: processes that prepare batches are lost ({lost}), as they are where memory runs out or /dev/shm is small; "
        "--machine.workers 0 does without them, and the same command goes on from the last saved state"
    )


def fit_once(job: FoldJob, accelerator: Accelerator, stop: Callable[[], bool] = lambda: False) -> Fitted:
    """What the fold came to, after model.safetensors and model.json are in the job's directory.

    stop() is asked at every step; once it is true the state is saved and Stopped raised. A state that lies in the directory is
    continued, and ends bit for bit (on a CPU) as if it had never been interrupted. Several processes take a part of every batch and of
    the held-out rows each (models/together.py); the main one writes.

    Raises: ModelError where the loss is no longer finite, settings do not fit, or the deadline leaves no time to train; Stopped.
    """
    config, optim, device = job.config, job.config.optim, accelerator.device
    check_loggers(config.machine)
    seed = seed_of(config.seed, job.fold)
    torch.manual_seed(seed)
    share = (accelerator.process_index, accelerator.num_processes)
    parts = parts_of(job, device, seed, share)
    network, freezing, batches, spec = parts.network, parts.freezing, parts.batches, job.spec
    check_sides(network, spec, config.data.start_share)
    portions = Portions(job.name, job.directory.parent, device)
    optimizer: Any = optimizer_for(network, optim)
    highest = [group["lr"] * group.get("lr_scale", 1.0) for group in optimizer.param_groups]
    ema = ModelEmaV3(network, decay=optim.ema, use_warmup=True) if optim.ema else None
    swa = AveragedModel(network, use_buffers=True) if optim.average_last else None
    bare = network
    freezing.train(1)  # of several processes, each looks here at what will learn
    waiting = DistributedDataParallelKwargs(find_unused_parameters=optim.head_first > 0)  # for the rest to join in
    accelerator.ddp_handler = waiting  # type: ignore[assignment]
    if accelerator.scaler:  # its scale is the last fold's
        accelerator.scaler = torch.amp.GradScaler(device.type)
    network, optimizer = accelerator.prepare(network, optimizer)
    uncompiled = network
    if config.machine.compile:
        network = compiled(uncompiled, device, graphs=config.data.start_share == 1 and optim.accumulate == portions.count == 1)

    epochs, steps = int(optim.epochs), batches.steps
    schedule = SCHEDULES[optim.schedule]
    measure = partial(_measure, job, parts, TORCH_TYPE[accelerator.mixed_precision], stop, portions)
    always = optim.keep == "best" or optim.schedule == "plateau"  # these need every epoch's held-out loss

    epoch, step, elapsed, total, history, best, before = 0, 0, 0.0, torch.zeros((), device=device), [], None, 0.0
    averaged = False  # whether the weights that an epoch came to are part of the average already
    state = checkpoint.load_state(job.directory / STATE)
    if state:
        epoch, step, elapsed, total, history, best = (state[name] for name in ("epoch", "step", "elapsed", "total", "history", "best"))
        total, before, averaged = total.to(device), state["position"], state.get("averaged", False)
        bare.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if ema:
            ema.module.load_state_dict(state["ema"])
        if swa:
            swa.load_state_dict(state["swa"])
        if accelerator.scaler and state["scaler"]:  # it may have begun in another precision
            accelerator.scaler.load_state_dict(state["scaler"])
        say(f"{job.name}  goes on at epoch {epoch + 1}/{epochs}, step {step}/{steps}")

    def save(epoch: int, step: int, elapsed: float) -> None:
        if accelerator.is_main_process:
            learnt = {"network": bare.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema and ema.module.state_dict()}
            learnt |= {"swa": swa and swa.state_dict(), "scaler": accelerator.scaler and accelerator.scaler.state_dict(), "best": best}
            reached = {"epoch": epoch, "step": step, "elapsed": elapsed, "position": position, "total": total, "history": history}
            checkpoint.save_state(job.directory / STATE, reached | learnt | {"averaged": averaged})

    def backward(batch: tuple[torch.Tensor, ...], of: int, told: bool) -> torch.Tensor:
        """The loss of a batch (its truth last), one of so many of a step, its gradient added; of several processes, their mean is the
        batch's. told: whether they tell each other theirs now."""
        cost, cut = torch.zeros((), device=device), portions.cut(*batch)
        for place, (*seen, y) in enumerate(cut):
            with nullcontext() if told and place + 1 == len(cut) else accelerator.no_sync(network):
                part = parts.cost(network(*seen), y) * (len(y) * share[1] / batches.batch)
                accelerator.backward(part / of)
            cost += part.detach()
        return cost

    def learn(step: int, group: list[tuple[torch.Tensor, ...]], of: int, again: bool) -> torch.Tensor:
        """The loss of the last batch of a group, at this step, after its gradient was added; again: those of all of them."""
        cost, moves = torch.zeros((), device=device), len(group) == of
        for back in range(len(group) if again else 1)[::-1]:
            if again:
                torch.manual_seed(seed_of(seed, epoch, step - back) + share[0])
            cost = backward(group[-1 - back], of, moves and not back)
        if moves and optim.sam:
            with sharpest(bare, optim.sam):
                for batch in group:
                    backward(batch, of, True)
        return cost

    def begin_again() -> None:
        """Before a batch is learnt again, in parts: their gradients are added up, which CUDA graphs do not bear."""
        nonlocal network
        optimizer.zero_grad()
        if config.machine.compile:
            torch.compiler.reset()  # the graphs' memory is needed
            network = compiled(uncompiled, device, graphs=False)

    def kept() -> nn.Module:
        return ema.module if ema else swa.module if swa and swa.n_averaged > 0 else bare

    loggers: dict[str, Any] | None = None  # to import them takes a second, which the first step need not wait for
    check_every = 1 if device.type == "cpu" else 50  # reading the loss makes a GPU wait
    started, saved = time.monotonic() - elapsed, time.monotonic()
    clock = Clock(epochs, steps, len(job.held_rows) / len(job.train_rows), job.deadline, epoch * steps + step, before)
    calm_from = 1 - config.augment.calm_share
    stream = batches.stream(
        epoch, step, epochs, workers_of(config.machine, device), device.type == "cuda", lambda done: clock.foreseen(done) >= calm_from
    )
    shown: list[tuple[torch.Tensor, ...]] = []  # the batches whose gradients the weights move by together
    position, measured, seconds = clock.position(epoch * steps + step), None, elapsed
    if position >= 1 > before and not history:
        raise ModelError(
            f"{job.name}: no time was left to train it; ask for a longer --budget. What was finished before is kept, and the same command "
            "gives its time to the rest"
        )
    with progress(f"{job.name}", epochs * steps * batches.batch, done=(epoch * steps + step) * batches.batch) as advance:
        while position < 1 or step:  # of an epoch that was stopped in its validation, all steps are done
            freezing.train(position)
            fallen = plateau_factor([row["held_out_loss"] for row in history], optim.patience) if optim.schedule == "plateau" else 1.0
            while step < steps and position < 1:
                torch.manual_seed(seed_of(seed, epoch, step) + share[0])  # dropout and mixing of this step, resumed or not
                factor = fallen * schedule(position, optim.warmup)
                for group, most in zip(optimizer.param_groups, highest, strict=True):
                    group["lr"] = most * factor
                images, rows = next(stream)
                if optim.head_first and step:  # at the share of the run when the rest joins in
                    freezing.train(position)
                x = resized(parts.normalise(images), side_at(position, spec.size_px, config.data.start_share))
                y, columns = parts.truth_of(rows), parts.columns_of(rows)
                if parts.mix and position < calm_from:
                    x, y, *columns = parts.mix(x, y, *columns)
                first = step - step % optim.accumulate
                last = min(first + optim.accumulate, steps)
                moves = step + 1 == last
                shown = [*(shown if step > first else []), (x, *columns, y)]
                cost = portions.fitting(len(y), partial(learn, step, shown, last - first), begin_again)
                total += accelerator.reduce(cost, "mean")  # type: ignore[operator]
                if moves:
                    if optim.clip_norm:
                        accelerator.clip_grad_norm_(network.parameters(), optim.clip_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                    if ema:
                        ema.update(bare, step=epoch * math.ceil(steps / optim.accumulate) + step // optim.accumulate)
                step += 1
                position = clock.position(epoch * steps + step)
                advance(batches.batch)
                within = moves and step < steps and position < 1
                stopping = within and stop()
                saving = stopping or (within and time.monotonic() - saved >= config.machine.save_seconds)
                if (saving or step % check_every == 0 or step == steps or position >= 1) and not math.isfinite(float(total)):
                    raise ModelError(_diverged(job, f"epoch {epoch + 1}, step {step}"))
                if saving:
                    save(epoch, step, time.monotonic() - started)
                    saved = time.monotonic()
                if stopping:
                    raise Stopped
            if swa and position >= 1 - optim.average_last and not averaged:
                swa.update_parameters(bare)
                averaged = True
            measuring, measured = clock.now(), None
            if len(job.held_rows) and (position >= 1 or always or clock.worth_measuring()):
                try:
                    measured = measure(kept())
                except Stopped:
                    save(epoch, step, time.monotonic() - started)
                    raise
            _, held_loss, held_score = measured or (None, None, None)
            seconds = time.monotonic() - started
            train_loss = float(total) / step
            history.append(
                {
                    "epoch": epoch + 1,
                    "seconds": round(seconds, 3),
                    "lr": optimizer.param_groups[-1]["lr"],
                    "train_loss": train_loss,
                    "held_out_loss": held_loss,
                    job.metric: held_score,
                }
            )
            if optim.keep == "best" and held_score is not None and (best is None or _better(job.metric, held_score, best["score"])):
                best = {
                    "epoch": epoch + 1,
                    "score": held_score,
                    "weights": {name: value.clone() for name, value in kept().state_dict().items()},
                }
            epoch, step, averaged = epoch + 1, 0, False
            total = torch.zeros((), device=device)
            if accelerator.is_main_process:
                _write_history(job.directory, history)
                loggers = open_loggers(job, epoch - 1) if loggers is None else loggers
                record(job, loggers, history[-1])
            if measured:
                clock.measured_since(measuring)
            position = clock.position(epoch * steps)
            spent = seconds - (history[-2]["seconds"] if epoch > 1 else 0)
            of = f"/{epochs}" if job.deadline == math.inf else f", {min(1, position):.0%} of the time"
            scored = f"  held-out loss {held_loss:.4f}  {job.metric} {held_score:.5f}" if measured else ""
            say(f"{job.name}  epoch {epoch}{of}  {spent:.1f} s  lr {history[-1]['lr']:.2e}  loss {train_loss:.4f}{scored}")
            stopping = stop()
            if stopping or position >= 1 or time.monotonic() - saved >= min(config.machine.save_seconds, BETWEEN_EPOCHS_SECONDS):
                save(epoch, step, seconds)
                saved = time.monotonic()
            if stopping and position < 1:
                raise Stopped

    close(job, loggers or {})
    if best is not None:
        kept().load_state_dict(best["weights"])
        measured = None
    probs, _, final = measured or measure(kept())
    weights_kept = "best" if best else "averaged" if ema or swa else "last"
    for line in [*in_a_line(history), *diagnose(history, float(optim.lr))]:
        say(f"{job.name}  {line}")
    if accelerator.is_main_process:
        save_checkpoint(job, kept(), parts.head, weights_kept)
    return Fitted(probs, final, seconds, weights_kept)


def _measure(
    job: FoldJob, parts: Parts, autocast: torch.dtype | None, stop: Callable[[], bool], portions: Portions, network: nn.Module
) -> tuple[np.ndarray, float, float]:
    """Probabilities, loss (models/job.py) and metric of the held-out rows.

    Raises: Stopped where a stop is asked for, and this takes long (of several processes, which look at parts of their own, none stops).
    """
    asked = math.inf

    def looked(count: int) -> None:
        nonlocal asked
        if PROCESSES == 1 and stop():
            asked = min(asked, time.monotonic())
            if time.monotonic() - asked > STOP_SECONDS:
                raise Stopped

    if not len(job.held_rows):
        return np.zeros((0, len(job.task.classes)), np.float32), math.nan, math.nan
    share_buffers(network)
    mine, batch = np.array_split(job.held_rows, PROCESSES)[RANK], max(1, 2 * int(job.config.optim.batch) // portions.count)
    given = ([network], [parts.head], job.pixels, mine, job.task, parts.normalise)
    probs = gathered(predict(*given, batch=batch, autocast=autocast, progress=looked, numbers=[job.numbers]))
    if not np.isfinite(probs).all():
        raise ModelError(_diverged(job, "held-out rows"))
    truth = job.truth[job.held_rows]
    return probs, table_loss(job.task, parts.head, truth, probs), score(job.metric, truth, probs, job.task)


def _better(metric: str, one: float, other: float) -> bool:
    """Whether `one` is the better score; one that is not defined (nan) is worse than any."""
    if math.isnan(other):
        return not math.isnan(one)
    return one > other if METRICS[metric].greater_is_better else one < other


def _write_history(directory: Path, history: list[dict[str, float]]) -> None:
    """history.csv, whole."""
    text = io.StringIO()
    rows = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(history)
    write_text(directory / HISTORY, text.getvalue())


def _diverged(job: FoldJob, where: str) -> str:
    optim = job.config.optim
    tries = [f"a lower rate (--optim.lr {float(optim.lr) / 5:.1e})"]
    if not optim.clip_norm:
        tries.append("clipping (--optim.clip-norm 1)")
    if optim.warmup < 0.05:
        tries.append("a longer warm-up (--optim.warmup 0.1)")
    tries.append("full precision (--machine.amp off)")
    return f"{job.name}, {where}: the loss is no longer finite. Try {', or '.join(tries)}. What was finished before is kept"
