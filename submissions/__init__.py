"""From a table of predictions to a file that the leaderboard takes: blend, format, check, write, submit.

    blend(tables, task)            tables of several runs become one, aligned by id                    blend.py
    submission_frame(table, ...)   the table in the sample submission's rows, columns and words         format.py
    write(frame, path, ...)        the CSV and what it was made of; checked as it lies on the disk       write.py
    check(file, competition)       what a grader would refuse (errors) or punish (warnings)             check.py
    upload(file, competition, ...) sent to Kaggle once, its score waited for and recorded               upload.py, send.py, awaited.py
    pack(runs, competition, ...)   a dataset and a notebook that predict offline; tried, and pushed     pack.py, dry_run.py, push.py

    python -m submissions check|submit FILE, log, pack|blend RUN

A submission slot is spent even where the grader then refuses the file, so nothing is called done before the written file
was read again and found without errors. This room imports competition and folds, and never torch.
"""
