"""Run a program: node by node (`interpreter`), as machine code (`machine`), on workers (`executor`).

Graphs, loops and samples go in; numbers come out. `descent` takes steps, `toolchain` and `library` compile C,
`interface` defines what all of them need of a program. Next door: `codegen`, which prints the text compiled
here.
"""
