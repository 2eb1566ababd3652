"""The intermediate representation: a program as a flat list of operations, simplified as it is written.

Operations from `frontend` and `passes` go in; graphs for `loops`, `codegen` and `runtime` come out.
"""
