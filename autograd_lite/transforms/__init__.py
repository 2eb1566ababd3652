"""Derivatives of functions: gradients, Jacobians, Hessians, products with vectors, and their check by
differences.

In come functions of numbers in containers; out go functions that return derivatives in the same containers.
Next door: `core` records the graphs, `compiler` turns functions into programs.
"""
