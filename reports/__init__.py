"""Pages to look at: one self-contained HTML file a run, one that compares runs, one of all runs of a competition.

    python -m reports RUN                       RUN/report.html
    python -m reports RUN RUN                   runs/COMPETITION/compare.html
    python -m reports leaderboard COMPETITION   runs/COMPETITION/leaderboard.html

It draws what runs wrote (folds/run.py) and imports the competition and folds rooms only, never torch: what needs the network itself, such
as a Grad-CAM, lies in a fold's exhibits.npz.

    evidence_of(run, contest)    what a run left, read once                              evidence.py
    FIGURES                      what is drawn for which kinds of task, in order          figures.py
    blocks.py                    what figures give: tables, drawings, photos, as values
    write_report(run, contest)   blocks -> templates -> one file                          report.py
"""
