"""Running a test: plans, generators, the interpreter, histories, faults and the grounds nodes run on.

This package knows no product, no checker and no report; see ARCHITECTURE.md for who may import whom.
"""
