from cpython.object cimport PyObject


cdef class Traceable:
    cdef PyObject *_older
    cdef PyObject *_newer


cdef class Tracer(Traceable):
    pass


cdef class Row:
    cdef public object forward, masks, rule_on_floats


# Every Traceable, for `alive`: a list linked through the objects, which owns none of them.
cdef PyObject *_newest

cdef inline void _enlist(Traceable node) noexcept:
    global _newest
    node._older = _newest
    if _newest is not NULL:
        (<Traceable> _newest)._newer = <PyObject *> node
    _newest = <PyObject *> node

cdef inline void _delist(Traceable node) noexcept:
    global _newest
    if node._newer is not NULL:
        (<Traceable> node._newer)._older = node._older
    else:
        _newest = node._older
    if node._older is not NULL:
        (<Traceable> node._older)._newer = node._newer

cdef inline list _listed():
    cdef PyObject *node = _newest
    cdef list found = []
    while node is not NULL:
        if node.ob_refcnt > 0:  # 0 while it is being freed
            found.append(<object> node)
        node = (<Traceable> node)._older
    found.reverse()
    return found
