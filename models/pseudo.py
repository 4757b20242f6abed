"""Pseudo-labels: a fold is trained on test images too, with what the same fold of an earlier run predicts for them.

Fold-safe: that fold's network never saw the rows that are held out here, so that no pseudo-label was shaped by them; the mean of all folds
would have been, and its out-of-fold score would flatter.

Legend: N training images, P test images, K columns.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from competition.atomic import read_array, write_array
from competition.cache import pixels
from competition.console import say
from competition.contest import Competition
from models.ensemble import predict_test
from models.job import FoldJob
from models.together import main_first

FILE = "pseudo.npy"


def with_pseudo(job: FoldJob, teacher: Path, contest: Competition) -> FoldJob:
    """The job with the sure ones of the test images. teacher: the directory of the same fold of an earlier run with the same folds.

    What the teacher said is kept in the job's directory, so that a fold that is continued goes on with the same.

    Raises: ModelError where the teacher is damaged or about other classes.
    """
    kept, spec, machine = job.directory / FILE, job.spec, job.config.machine
    with main_first():
        cache = machine.cache / contest.name
        seen = pixels(contest.images, contest.test, spec.size_px, spec.channels, spec.interpolation, cache, machine.most_gib, spec.fit)
        told = read_array(kept, (len(contest.test), len(contest.task.classes)), np.float32)
        if told is None:
            told = predict_test([teacher], contest, "auto", job.config.machine)[0].to_numpy(dtype=np.float32)
            write_array(kept, told)
    sure = told.max(axis=1) >= job.config.data.pseudo_sure if job.task.one_of_many else np.ones(len(told), dtype=bool)
    say(f"{job.name}  {int(sure.sum()):,} of {len(told):,} test images are trained on, labelled by {teacher}")
    rows = np.concatenate([job.train_rows, len(job.taught) + np.flatnonzero(sure)])
    return replace(job, taught=np.concatenate([job.taught, told]), train_rows=rows, more_pixels=seen)
