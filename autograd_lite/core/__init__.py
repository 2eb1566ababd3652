"""The engine, in one sitting: the table of derivative rules, the node, and how an operation makes a node.

Read `rules.py`, `value.py`, `recording.py` in this order. In come numbers; out go Values with their graphs
and gradients. Next door: `transforms` differentiates functions; everything else walks the graph.
"""
