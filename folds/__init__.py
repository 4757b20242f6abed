"""Cut and gather: which row is held out when, and what the held-out rows say about the score.

Its front door is `python -m folds`: the cut, the audit, the ledger, comparisons, doubtful labels. It knows the competition room only, and
never imports torch.
"""
