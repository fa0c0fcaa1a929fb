"""Searching for failures by the thousand, and making the smallest of each.

- `shrinking`   from a failing plan of lists to one whose every element is needed
- `deletion`    taking away from a list as much as can be, in few trials
- `steps`       what is tried: fewer nodes, clients, keys, a shorter prefix, simpler times and faults
- `story`       a small run in plain words
- `templates`   shapes of fault schedules that find bugs
- `bandit`      which template to use next, by what it brought
- `states`      abstract states of a cluster, what is new, and what was exercised
- `statistics`  what a number of clean or failing runs means
"""
