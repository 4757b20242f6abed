"""From a table of predictions to a file that the leaderboard takes: blend, format, check, write.

    blend(tables, task)            tables of several runs become one, aligned by id                    blend.py
    submission_frame(table, ...)   the table in the sample submission's rows, columns and words         format.py
    write(frame, path, ...)        the CSV and what it was made of; checked as it lies on the disk       write.py
    check(file, competition)       what a grader would refuse (errors) or punish (warnings)             check.py

    python -m submissions check FILE [--competition NAME|DIR|ZIP]

A submission slot is spent even where the grader then refuses the file, so nothing is called done before the written file
was read again and found without errors. This room imports the competition room only, and never torch.
"""
