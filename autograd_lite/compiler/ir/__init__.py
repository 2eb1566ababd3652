"""The intermediate representation: a program as a flat list of operations, simplified as it is written.

In come operations from `frontend` and `passes`; out go graphs for `loops`, `codegen` and `runtime`.
"""
