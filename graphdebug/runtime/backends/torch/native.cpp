// What the torch backend does for each operation and each autograd Node of a step that it has seen
// before, without Python: it compares, and where all is as expected, nothing more is to be done.
// Everything else, it leaves to the Python tier (forward.py, backward.py, finite.py), whose meaning
// this has to keep. Built by native.py against the torch that the program uses.
//
// All functions are called with the GIL held. Nothing of the program's is kept but code objects and
// functions that live as long as the operation is remembered.

#include <Python.h>
#include <frameobject.h>
#include <structmember.h>

#include <ATen/SequenceNumber.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/Device.h>
#include <torch/csrc/Dtype.h>
#include <torch/csrc/Size.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/python_cpp_function.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <unordered_set>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

namespace {

using Node = torch::autograd::Node;
using NodePtr = decltype(torch::autograd::Edge::function);  // its kind depends on torch's version

constexpr uint64_t kLeaf = 1ull << 63;
constexpr long kSteps = 1, kNodes = 2;  // trail.STEPS, trail.NODES
constexpr Py_ssize_t kRun = 1000;       // recorder.RUN_LIMIT
constexpr long kMoves = 1;          // watch.MOVES
constexpr int64_t kLarge = 1 << 22;  // elements from which on torch's own threads are faster

// -- what of Python's objects is read: slots, by their place

struct Slot {
  Py_ssize_t offset = 0;
  PyObject* operator()(PyObject* object) const {  // borrowed; nullptr where unset
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
  }
  void set(PyObject* object, PyObject* value) const {  // steals
    PyObject** place = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
    PyObject* old = *place;
    *place = value;
    Py_XDECREF(old);
  }
};

struct {
  PyTypeObject* trail = nullptr;
  PyTypeObject* op = nullptr;
  PyTypeObject* watch = nullptr;
  PyObject* writers = nullptr;
  Slot level, at, base, pending, watches, names_stop, watcher;  // of a Trail
  Slot place, loop, trained;                                    // likewise
  Slot next, check, ns;                                         // of an Op
  Slot on, following;                                           // of a Watch
} py;

PyObject *s_trail, *s_python, *s_failed, *s_seen, *s_made, *s_self;

bool slot(PyObject* type, const char* name, Slot& found) {
  PyObject* descriptor = PyObject_GetAttrString(type, name);
  if (descriptor == nullptr) return false;
  bool fits = Py_IS_TYPE(descriptor, &PyMemberDescr_Type);
  if (fits) {
    auto* member = reinterpret_cast<PyMemberDescrObject*>(descriptor)->d_member;
    fits = member->type == T_OBJECT_EX && (member->flags & READONLY) == 0;  // as in __slots__
    found.offset = member->offset;
  }
  Py_DECREF(descriptor);
  if (!fits) PyErr_Format(PyExc_TypeError, "%s isn't in __slots__", name);
  return fits;
}

#include "native_operations.h"
#include "native_numbers.h"
#include "native_quiet.h"

// -- the functions

bool is_true(PyObject* value) { return value == Py_True; }

// What is to be done after an operation that was expected: the watch for NaN, in Python where it is due.
void watched(PyObject* trail, const Check& check, PyObject* op, PyObject* args, PyObject* kwargs,
             PyObject* result, PyFrameObject* caller) {
  PyObject* watch = py.watcher(trail);
  if (check.watch == 0 || watch == nullptr || !is_true(py.on(watch))) return;
  bool following = is_true(py.following(watch));
  if (!following) {
    if (check.watch == kMoves) return;
    bool fine = true;
    if (THPVariable_CheckExact(result)) {
      fine = finite(THPVariable_Unpack(result)) == kFinite;
    } else {
      for (Py_ssize_t i = 0; fine && i < PySequence_Fast_GET_SIZE(result); i++) {
        PyObject* item = PySequence_Fast_GET_ITEM(result, i);
        fine = THPVariable_CheckExact(item) && finite(THPVariable_Unpack(item)) == kFinite;
      }
    }
    if (fine) return;
  }
  PyObject* arguments[] = {watch, op, args, kwargs ? kwargs : Py_None, result,
                           caller ? reinterpret_cast<PyObject*>(caller) : Py_None};
  tell(s_made, arguments, 6);
}

// Whether the operation is the one that the trail expects; the trail then stands behind it.
bool expected(PyObject* trail, PyObject* func, PyObject* args, PyObject* kwargs, PyObject* result,
              uint64_t before, int64_t ns, PyFrameObject* caller, PyObject** op, Check** found) {
  PyObject *at = py.at(trail), *base = py.base(trail);
  if (at == nullptr || base == nullptr || py.pending(trail) != Py_None) return false;
  PyObject* next = py.next(at);
  if (next == nullptr || !Py_IS_TYPE(next, py.op)) return false;
  uint64_t first = PyLong_AsUnsignedLongLong(base);
  bool begins = before == first;  // then Trail.look has to look, if there is anything to see
  if (begins && (py.place(trail) != Py_None || py.loop(trail) != Py_None ||
                 py.trained(trail) != Py_True || !at::GradMode::is_enabled()))
    return false;
  Check* check = prepared(next);
  if (check == nullptr || !check->fits || check->func != func || check->seq_from != before - first ||
      check->seq_to != at::sequence_number::peek() - first ||
      c10::impl::TorchDispatchModeTLS::stack_len() != 0 || !same_place(*check, caller) ||
      !same_tensors(*check, args, kwargs, result))
    return false;
  Py_INCREF(next);
  *op = next;
  *found = check;
  PyObject* duration = PyLong_FromLongLong(ns);
  if (duration != nullptr) py.ns.set(next, duration);
  Py_INCREF(next);
  py.at.set(trail, next);
  return true;
}

// Whether the error that is raised is one of ours; else it goes on to the program. See interrupts.py.
bool raised_is_ours() {
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return false;
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  PyErr_NormalizeException(&type, &error, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(error, traceback);
  PyObject* interrupts = PyImport_ImportModule("graphdebug.runtime.backends.torch.interrupts");
  PyObject* answer =
      interrupts ? PyObject_CallMethod(interrupts, "is_interrupt", "O", error) : nullptr;
  bool ours = answer != Py_True;
  Py_XDECREF(answer);
  Py_XDECREF(interrupts);
  PyErr_Clear();
  PyErr_Restore(type, error, traceback);
  return ours;
}

// Whether there is anything to see in a result that is neither a tensor nor a list of them.
bool tells(PyObject* func, PyObject* result) {
  if (result == Py_None) return PySet_Contains(py.writers, func) == 1;
  PyTypeObject* kind = Py_TYPE(result);
  return kind == &PyFloat_Type || std::strcmp(kind->tp_name, "numpy.ndarray") == 0 ||
      PyType_IsSubtype(kind, reinterpret_cast<PyTypeObject*>(THPVariableClass));
}

// Takes the place of ForwardMode.__torch_function__: (mode, func, types, args, kwargs).
PyObject* torch_function(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count < 3) return PyErr_Format(PyExc_TypeError, "__torch_function__ takes 3 to 5 arguments");
  PyObject *mode = given[0], *func = given[1];
  PyObject* args = count > 3 ? given[3] : nullptr;
  PyObject* kwargs = count > 4 && given[4] != Py_None ? given[4] : nullptr;
  PyObject* trail = PyObject_GetAttr(mode, s_trail);
  if (trail == nullptr) return nullptr;
  PyObject* level = Py_IS_TYPE(trail, py.trail) ? py.level(trail) : nullptr;
  if (args == nullptr || !PyTuple_CheckExact(args) || level == nullptr ||
      PyLong_AsLong(level) != kNodes || py.names_stop(trail) != Py_False ||
      py.watches(trail) != Py_None) {
    Py_DECREF(trail);
    return PyObject_VectorcallMethod(s_python, given, count, nullptr);
  }
  uint64_t before = at::sequence_number::peek();
  auto begin = std::chrono::steady_clock::now();
  PyObject* result = PyObject_Call(func, args, kwargs);
  PyFrameObject* caller = PyEval_GetFrame();
  PyObject* where = caller ? reinterpret_cast<PyObject*>(caller) : Py_None;
  if (result == nullptr) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject* arguments[] = {mode, error ? error : Py_None, func, args, kwargs ? kwargs : Py_None, where};
    tell(s_failed, arguments, 6);
    PyErr_Clear();
    PyErr_Restore(type, error, traceback);
    Py_DECREF(trail);
    return nullptr;
  }
  int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                   std::chrono::steady_clock::now() - begin).count();
  bool held = THPVariable_CheckExact(result) || PyList_Check(result) ||
      (PyTuple_Check(result) && !Py_IS_TYPE(result, &THPSizeType));
  if (held || tells(func, result)) {
    PyObject* called = func;
    if (Py_IS_TYPE(func, &_PyMethodWrapper_Type)) called = PyObject_GetAttr(func, s_self);
    PyObject* op = nullptr;
    Check* check = nullptr;
    bool done = called != nullptr && held && py.level(trail) == level &&
        !torch::jit::tracer::isTracing() &&
        expected(trail, called, args, kwargs, result, before, ns, caller, &op, &check);
    if (done) {
      watched(trail, *check, op, args, kwargs, result, caller);
      Py_DECREF(op);
    } else if (PyErr_Occurred() == nullptr || raised_is_ours()) {
      PyErr_Clear();
      PyObject* seq = PyLong_FromUnsignedLongLong(before);
      PyObject* took = PyLong_FromLongLong(ns);
      PyObject* arguments[] = {mode, func, args, kwargs ? kwargs : Py_None, result, seq, took, where};
      if (seq && took) tell(s_seen, arguments, 8);
      Py_XDECREF(seq);
      Py_XDECREF(took);
    }
    if (called != func) Py_XDECREF(called);
  }
  if (PyErr_Occurred() != nullptr) {
    if (raised_is_ours()) {
      PyErr_Clear();  // it is caught in Python; what remains is none of the program's
    } else {
      Py_CLEAR(result);
    }
  }
  Py_DECREF(trail);
  return result;
}

#include "native_passes.h"
#include "native_updates.h"

// bind(Trail, Op, Watch, writers): the classes whose slots are read, and the functions that return
// nothing and write to their first argument. Raises TypeError where they don't fit.
PyObject* bind(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count != 4 || !PyAnySet_Check(given[3]))
    return PyErr_Format(PyExc_TypeError, "bind takes three classes and a set");
  PyObject *trail = given[0], *op = given[1], *watch = given[2];
  bool fits = slot(trail, "level", py.level) && slot(trail, "at", py.at) &&
      slot(trail, "base", py.base) && slot(trail, "pending", py.pending) &&
      slot(trail, "watches", py.watches) && slot(trail, "names_stop", py.names_stop) &&
      slot(trail, "watch", py.watcher) && slot(trail, "place", py.place) &&
      slot(trail, "loop", py.loop) && slot(trail, "trained", py.trained) && slot(op, "next", py.next) &&
      slot(op, "check", py.check) && slot(op, "ns", py.ns) && slot(watch, "on", py.on) &&
      slot(watch, "following", py.following);
  if (!fits) return nullptr;
  py.trail = reinterpret_cast<PyTypeObject*>(trail);
  py.op = reinterpret_cast<PyTypeObject*>(op);
  py.watch = reinterpret_cast<PyTypeObject*>(watch);
  py.writers = given[3];
  for (PyObject* kept : {trail, op, watch, given[3]}) Py_INCREF(kept);
  Py_RETURN_NONE;
}

template <typename Function>
PyCFunction fast(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef torch_function_method = {"__torch_function__", fast(torch_function), METH_FASTCALL, nullptr};
PyMethodDef methods[] = {{"all_finite", all_finite, METH_O, nullptr},
                         {"untraced", untraced, METH_O, nullptr},
                         {"trace", trace, METH_NOARGS, nullptr},
                         {"number", number, METH_O, nullptr},
                         {"all_zero", all_zero, METH_O, nullptr},
                         {"settings", fast(settings), METH_FASTCALL, nullptr},
                         {"parameters", parameters, METH_O, nullptr},
                         {"walk", fast(walk), METH_FASTCALL, nullptr},
                         {"bind", fast(bind), METH_FASTCALL, nullptr},
                         {"bind_steps", fast(bind_steps), METH_FASTCALL, nullptr},
                         {"begin_pass", fast(begin_pass), METH_FASTCALL, nullptr},
                         {"end_pass", fast(end_pass), METH_FASTCALL, nullptr},
                         {"begin_update", fast(begin_update), METH_FASTCALL, nullptr},
                         {"end_update", fast(end_update), METH_FASTCALL, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "graphdebug_native", nullptr, -1, methods};

}  // namespace

PyMODINIT_FUNC PyInit_graphdebug_native() {
  s_trail = PyUnicode_InternFromString("trail");
  s_python = PyUnicode_InternFromString("python");
  s_failed = PyUnicode_InternFromString("failed");
  s_seen = PyUnicode_InternFromString("seen");
  s_made = PyUnicode_InternFromString("made");
  s_self = PyUnicode_InternFromString("__self__");
  graph_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&graph_spec));
  PyObject* module = PyModule_Create(&definition);
  PyObject* function = PyCFunction_New(&torch_function_method, nullptr);
  if (graph_type == nullptr || module == nullptr || function == nullptr) return nullptr;
  PyObject* method = PyInstanceMethod_New(function);
  Py_DECREF(function);
  if (method == nullptr || PyModule_AddObject(module, "torch_function", method) < 0) return nullptr;
  return module;
}
