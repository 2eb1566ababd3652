"""The intermediate representation: a program as a flat list of operations, kept as simple as it can be.

In come operations from `frontend` and `passes`; out go graphs for `loops`, `codegen` and `runtime`.
"""
