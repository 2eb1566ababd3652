cimport cython
from autograd_lite.core.value cimport Value


@cython.locals(node=Value)
cpdef Value made(data, row, tuple operands, tuple partials)
@cython.locals(node=Value)
cpdef unary(row, Value x)
@cython.locals(node=Value, partials=tuple)
cpdef binary(row, x, y)
@cython.locals(node=Value, wi=Value, xi=Value, bi=Value, numbers=tuple, inputs=tuple, nodes=list, weights=tuple)
cpdef list linear(W, x, b=*)
