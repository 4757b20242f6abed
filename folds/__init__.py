"""Cut and gather: which row is held out when, and what the held-out rows say about the score.

    python -m folds split              how the training rows are cut, and how alike the folds are
    python -m folds audit              duplicates and giveaways
    python -m folds scores             the ledger: a row a run

It knows the competition room only, and never imports torch.
"""
