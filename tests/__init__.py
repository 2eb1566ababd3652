"""The tests, one module for each module of the package; `benchmarks/` is run by hand."""
