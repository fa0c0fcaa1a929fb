"""A run's faults and operations as plain lists, so that any run can be run again from data, less one element or more.

- `planned`   one fault, one operation, one trigger: what stands in a plan
- `drawing`   from a plan that names kinds of faults to a list of faults
- `script`    generators that carry the lists out
- `members`   the nemesis that carries the faults out, each by a member of its own
- `watch`     triggers: what happens on nodes and to clients, counted
- `recording` from what a run did to the lists that do it again

Every fault carries the seed of what it still draws itself, and its target stands in it, so taking one away leaves the
others what they were. (Nothing is imported here: a plan holds what `planned` defines, and the rest imports plans.)
"""
