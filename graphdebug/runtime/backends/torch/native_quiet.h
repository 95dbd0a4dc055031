// Work of ours that debuggers don't trace, of native.cpp, which includes this.

#pragma once

thread_local bool quiet = false;  // whether this thread traces nothing now, because of us

void enter_quiet() {
#if PY_VERSION_HEX >= 0x030b0000
  PyThreadState_EnterTracing(PyThreadState_Get());
  quiet = true;
#endif
}

void leave_quiet() {
#if PY_VERSION_HEX >= 0x030b0000
  if (quiet) PyThreadState_LeaveTracing(PyThreadState_Get());
  quiet = false;
#endif
}

// Calls a function of ours, which traces nothing until it returns or calls trace().
PyObject* quietly(PyObject* function, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  if (quiet) return PyObject_Vectorcall(function, given, count, names);
  enter_quiet();
  PyObject* result = PyObject_Vectorcall(function, given, count, names);
  leave_quiet();
  return result;
}

// Calls a method of ours, likewise.
void tell(PyObject* name, PyObject* const* given, Py_ssize_t count) {
  bool outermost = !quiet;
  if (outermost) enter_quiet();
  PyObject* done = PyObject_VectorcallMethod(name, given, count, nullptr);
  if (outermost) leave_quiet();
  Py_XDECREF(done);
}

// trace(): what called quietly is going to stop.
PyObject* trace(PyObject*, PyObject*) {
  leave_quiet();
  Py_RETURN_NONE;
}

PyMethodDef quietly_method = {
    "untraced", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(quietly)),
    METH_FASTCALL | METH_KEYWORDS, nullptr};

// untraced(function): the function, which traces nothing.
PyObject* untraced(PyObject*, PyObject* function) { return PyCFunction_New(&quietly_method, function); }
