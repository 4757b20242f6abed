"""What is asked: an unpacked competition (or its zip) becomes one frozen value, and the words everybody uses.

The ground floor. It knows tables, images, tasks and metrics; it never imports torch and nothing of the other rooms.

    python -m competition list                 the competitions known by name
    python -m competition inspect DIR|ZIP      what was found, and the reason for every guess
    python -m competition use DIR|ZIP|NAME     the same as an editable competition.toml
    python -m competition download NAME        its zip from Kaggle
"""
