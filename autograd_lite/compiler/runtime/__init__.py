"""What runs a program: node by node (`interpreter`), as machine code (`machine`), over workers (`executor`).

In come graphs, loops and samples; out go numbers. `descent` takes steps, `toolchain` and `library` compile C,
`interface` says what all of them ask of a program. Next door: `codegen`, which prints what is compiled here.
"""
