"""The conditions under which a node is needed."""

from autograd_lite.compiler.codegen.regions import MOST_GUARDS, regions_of
from autograd_lite.compiler.ir.graph import Graph
from autograd_lite.core import rules as table


def inputs(n):
    graph = Graph()
    x = [graph.input("argument", k, f"x{k}") for k in range(n)]
    return graph, x, [graph.add("gt", (xk, graph.constant(0.0))) for xk in x]


def region(graph, node, outputs):
    return regions_of(graph, graph.live(outputs), outputs)[node]


def test_a_node_of_one_branch_runs_under_its_condition():
    graph, x, (c, d) = inputs(2)
    root = graph.add(table.sqrt, (x[0],))
    for out, want in (
        (graph.add(table.where, (c, root, x[1])), ((c, True),)),
        (graph.add(table.where, (c, x[1], root)), ((c, False),)),
        (graph.add(table.where, (graph.add("and", (c, d)), root, x[1])), ((c, True), (d, True))),
        (graph.add(table.where, (graph.add("or", (c, d)), x[1], root)), ((c, False), (d, False))),
    ):
        assert region(graph, root, [out]) == want


def test_a_node_of_both_branches_or_of_an_output_always_runs():
    graph, x, (c,) = inputs(1)
    root = graph.add(table.sqrt, (x[0],))
    twice = graph.add(table.mul, (root, graph.constant(3.0)))
    out = graph.add(table.where, (c, root, twice))
    assert region(graph, root, [out]) == ()  # c, or not c: the ways are merged
    one = graph.add(table.where, (c, root, x[0]))
    assert region(graph, root, [one, root]) == ()


def test_a_node_of_several_branches_runs_if_one_of_them_does():
    graph, x, (c, d, e) = inputs(3)
    root = graph.add(table.sqrt, (x[0],))
    one = graph.add(table.where, (c, root, x[1]))
    two = graph.add(table.where, (d, root, x[2]))
    assert region(graph, root, [one, two]) == (((((c, True),), ((d, True),)), True),)
    inner = graph.add(table.where, (e, two, x[1]))  # d within e says no more than d alone
    assert region(graph, root, [one, two, inner]) == region(graph, root, [one, two])
    # With e and without it: e is merged away, and what is left lies within c.
    under = graph.add(table.where, (e, one, x[1]))
    other = graph.add(table.where, (e, x[1], one))
    assert region(graph, root, [under, other]) == ((c, True),)


def test_a_node_that_cannot_fail_runs_under_what_its_uses_have_in_common():
    graph, x, (c, d) = inputs(2)
    safe = graph.add(table.sin, (x[0],))
    one = graph.add(table.where, (c, safe, x[1]))
    two = graph.add(table.where, (d, safe, x[1]))
    assert region(graph, safe, [one]) == ((c, True),)
    assert region(graph, safe, [one, two]) == ()


def test_many_ways_are_not_worth_their_guards():
    graph, x, conditions = inputs(MOST_GUARDS + 1)
    root = graph.add(table.sqrt, (x[0],))
    outs = [graph.add(table.where, (c, root, xk)) for c, xk in zip(conditions, x, strict=True)]
    assert len(region(graph, root, outs[:-1])[0][0]) == MOST_GUARDS
    assert region(graph, root, outs) == ()
