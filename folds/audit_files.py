"""The audit on disk: groups, pairs and pictures beside the runs; made by itself before a competition's first training."""

from pathlib import Path

import cv2

from competition.atomic import write_bytes, write_text
from competition.config import Config
from competition.console import say
from competition.contest import Competition
from competition.errors import CompetitionError
from folds.audit import Depth, audit, sheet
from folds.groups import audited

MOST_AT_ONCE = 5_000  # images, training and test, that are looked through without being asked: some 10 ms each


def write_audit(contest: Competition, path: Path, cache: Path, folds: int, depth: Depth = "alike") -> int:
    """How many groups there are, after what was found is said and written: PATH (id,group), and beside it pairs and a picture of them."""
    found = audit(contest, cache, folds, depth)
    for finding in found.findings:
        say(f"- {finding}")
    write_text(path, found.group_of.reset_index().to_csv(index=False, lineterminator="\n"))
    write_text(path.with_name(f"{path.stem}-pairs.csv"), found.pairs.to_csv(index=False, lineterminator="\n", float_format="%.4f"))
    if depth == "alike" and found.pairs["view"].any():
        say("some of these are mirrored or turned; --thorough also looks for turns by any other angle")
    if len(found.group_of):
        say(f"{path}: {found.group_of.nunique():,} groups of {len(found.group_of):,} training images stay together")
    if (drawn := sheet(contest, found, cache)) is not None:
        picture = path.with_name(f"{path.stem}-pairs.png")
        write_bytes(picture, cv2.imencode(".png", drawn)[1].tobytes())
        say(f"{picture}: the likeliest pairs, to look at")
    return found.group_of.nunique()


def audit_first(contest: Competition, config: Config) -> None:
    """The audit, where this is the competition's first training and its groups could matter; where it would take long, it must be asked.

    A competition that has runs keeps its folds as they are, so that the same command goes on with the same run. An image that cannot be
    read ends the audit alone: training says for itself what it cannot do without.
    """
    machine, path = config.machine, audited(config.machine.runs, contest)
    if not machine.audit or config.folds.groups != "auto" or path.is_file() or any(path.parent.parent.glob("*/config.toml")):
        return
    if len(contest.train) + len(contest.test) > MOST_AT_ONCE:
        return
    say(f"{contest.name}: before the first training, an audit (--machine.no-audit leaves it out)")
    try:
        write_audit(contest, path, machine.cache, config.folds.count)
    except CompetitionError as error:
        say(f"the audit is left out: {error}")
