"""What a fold's losses say, in a line and in words, with what to try: pure functions of its history.

Losses of training and of what is held out are compared only with themselves: mixing and smoothing raise the first.
"""

from collections.abc import Mapping, Sequence

from competition.console import course

ROSE, FELL = 1.1, 0.95  # times what it was
LEARNED = 0.97
STILL = 0.9  # of the epoch before, at the end
NOTHING = 0.01  # a loss below which it is by chance what it is: 99 % sure of the truth on average


def in_a_line(history: Sequence[Mapping[str, float | None]]) -> list[str]:
    """One line that draws the held-out losses, or where these were measured less than three times the training losses; none of fewer."""
    for name, what in (("held_out_loss", "held-out loss"), ("train_loss", "training loss")):
        values = [float(value) for row in history if (value := row[name]) is not None]
        if len(values) > 2:
            return [f"{what} {course(values)} {values[0]:.4f} to {values[-1]:.4f}"]
    return []


def diagnose(history: Sequence[Mapping[str, float | None]], lr: float) -> list[str]:
    """Sentences; none where nothing is amiss. history: rows with epoch, train_loss, held_out_loss (None where it was not measured)."""
    told: list[str] = []
    train = [float(row["train_loss"] or 0) for row in history]
    held = [(int(row["epoch"] or 0), float(row["held_out_loss"])) for row in history if row["held_out_loss"] is not None]
    if len(train) < 3:
        return told
    lowest = min(range(len(train)), key=train.__getitem__)
    if train[-1] > ROSE * max(train[lowest], NOTHING):
        told.append(
            f"the training loss rose from {train[lowest]:.3g} (epoch {lowest + 1}) to {train[-1]:.3g}: the rate is too high; "
            f"try --optim.lr {lr / 3:.1e}, or a longer warm-up (--optim.warmup 0.1)"
        )
    elif train[-1] > LEARNED * train[0]:
        told.append(
            f"the training loss hardly fell ({train[0]:.3g} to {train[-1]:.3g}): the rate is too low or far too high, or the labels do not "
            f"belong to the images; try --optim.lr {lr / 10:.1e} and {lr * 10:.1e}"
        )
    if len(held) < 3:
        return told
    best, least = min(held, key=lambda pair: pair[1])
    if held[-1][1] > ROSE * max(least, NOTHING) and train[-1] < FELL * train[best - 1]:
        told.append(
            f"after epoch {best} the held-out loss rose ({least:.3g} to {held[-1][1]:.3g}) while the training loss fell "
            f"({train[best - 1]:.3g} to {train[-1]:.3g}): it learns its images by heart; try --augment.strength heavy, "
            f"--augment.mixup 0.2, --model.drop 0.3, or --optim.epochs {best}"
        )
    elif NOTHING < held[-1][1] < STILL * held[-2][1]:
        told.append(f"the held-out loss was still falling ({held[-2][1]:.3g} to {held[-1][1]:.3g}): more epochs may help")
    return told
