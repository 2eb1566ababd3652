from autograd_lite.core.tracing cimport Traceable


cdef class Operators(Traceable):
    pass
