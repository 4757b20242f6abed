"""Cut and gather: which row is held out when, and what the held-out rows say about the score.

    python -m folds scores             the ledger: a row a run

It knows the competition room only, and never imports torch.
"""
