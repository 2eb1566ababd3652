cimport cython
from cpython.object cimport PyTypeObject
from autograd_lite.core.forward cimport dot
from autograd_lite.core.tracing cimport Row, Tracer
from autograd_lite.core.value cimport Value


cpdef record(Row row, tuple operands)
@cython.locals(node=Value)
cpdef Value made(data, Row row, tuple operands, tuple partials)
cpdef unary(Row row, Value x)
@cython.locals(node=Value, partials=tuple)
cpdef binary(Row row, x, y)
@cython.locals(node=Value, wi=Value, xi=Value, bi=Value, numbers=tuple, inputs=tuple, nodes=list, last=list, weights=tuple, bias=tuple, constant=tuple)
cpdef list linear(W, x, b=*)


cdef bytes _text  # what the signature and the docstring of a type are read from, kept alive

cdef inline _sign(type kind, bytes text):
    global _text
    _text = text
    (<PyTypeObject *> kind).tp_doc = <char *> text
