cimport cython
from autograd_lite.core.operators cimport Operators


cdef class Value(Operators):
    cdef double _adjoint
    cdef public object _data, _grad, _mark, _note, primitive
    cdef public tuple _operands, _partials


# Functions, because the names in a method cannot be given types here.
@cython.locals(node=Value, operand=Value, order=list, operands=tuple, upstream=double, partial=double, k=Py_ssize_t)
cdef _pass_back(Value root, double seed)
@cython.locals(order=list, stack=list, node=Value, operands=tuple, taken=list)
cdef list _ordered(roots, list not_taken=*)
