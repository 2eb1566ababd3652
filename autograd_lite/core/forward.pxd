cimport cython

cpdef double sigmoid(double x)
cpdef double sech(double x)
cpdef double rsqrt(double x)
cpdef double relu(double x)
cpdef double softplus(double x)
cpdef double sign(double x)
cpdef double heaviside(double x)
cpdef double maximum(double x, double y)
cpdef double minimum(double x, double y)
@cython.locals(wk=double, xk=double, k=Py_ssize_t, terms=list)
cpdef double dot(tuple w, tuple x, tuple b)
