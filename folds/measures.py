"""The usual measures of a run side by side, whatever its competition is scored by.

Legend: N rows, K columns of a table.
"""

import numpy as np

from competition.metrics import METRICS, THRESHOLD, decide, score
from competition.task import Task

SHOWN = ("accuracy", "precision", "recall", "f1_macro", "roc_auc", "mcc", "log_loss")


def measures(truth: np.ndarray, probs: np.ndarray, task: Task) -> dict[str, float]:
    """The value over all rows (truth and probs N x K) of each measure that serves the task; none for a regression.

    precision and recall are means over classes, as f1_macro is; a class that is never taken has a precision of 0.
    """
    if task.kind == "regression":
        return {}
    from sklearn.metrics import precision_recall_fscore_support

    given = (truth > THRESHOLD, decide(probs, task))
    precision, recall, _, _ = precision_recall_fscore_support(*given, average="macro", zero_division=0)  # type: ignore[call-overload]
    means = {"precision": float(precision), "recall": float(recall)}
    return {
        name: means[name] if name in means else score(name, truth, probs, task)
        for name in SHOWN
        if name in means or task.kind in METRICS[name].tasks
    }
