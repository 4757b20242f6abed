"""FIGURES: what a run's page shows, in order, and for which kinds of task."""

from collections.abc import Callable

from competition.metrics import CLASSES
from competition.task import KINDS, ONE_OF_MANY
from reports.blocks import Block
from reports.confusion import confusion, distances
from reports.curves import calibration, told_apart
from reports.evidence import Evidence
from reports.images import duplicates, mistakes, samples, suspects, uncertain
from reports.labels import label_by_label, together
from reports.network import filters, seen
from reports.numbers import errors
from reports.overview import again, asked_and_done
from reports.ranking import ranks
from reports.results import class_by_class, scores
from reports.training import losses

# Heading -> the kinds it is for (those of tasks, and "ranking"), and what gives its blocks; one that gives none is not on the page.
FIGURES: dict[str, tuple[tuple[str, ...], Callable[[Evidence], list[Block]]]] = {
    "Scores": (KINDS, scores),
    "What was asked, and how it was done": (KINDS, asked_and_done),
    "Class by class": (ONE_OF_MANY, class_by_class),
    "Label by label": (("multilabel",), label_by_label),
    "Errors": (("regression",), errors),
    "Confusion": (ONE_OF_MANY, confusion),
    "Distance of mistakes": (("ordinal",), distances),
    "Places of the truth": (("ranking",), ranks),
    "ROC and precision-recall": (CLASSES, told_apart),
    "Calibration": (CLASSES, calibration),
    "Labels together": (("multilabel",), together),
    "Training": (KINDS, losses),
    "Mistakes": (KINDS, mistakes),
    "Least certain": (CLASSES, uncertain),
    "Samples": (KINDS, samples),
    "Suspect labels": (KINDS, suspects),
    "Duplicates": (KINDS, duplicates),
    "As the network sees them": (KINDS, seen),
    "First layer": (KINDS, filters),
    "Do it again": (KINDS, again),
}
