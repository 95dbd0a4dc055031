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

// -- operations that are expected

struct Meta {
  at::ScalarType dtype;
  at::Device device;
  uint32_t begin, end;  // its sizes
};

struct Check {
  PyObject *func = nullptr, *code = nullptr;  // owned
  PyObject* kind = nullptr;                   // owned
  long lasti = 0, hops = 0, watch = 0;
  uint64_t seq_from = 0, seq_to = 0;
  bool fits = false;
  std::vector<Meta> inputs, outputs;
  std::vector<int64_t> sizes;
  ~Check() {
    Py_XDECREF(func);
    Py_XDECREF(code);
    Py_XDECREF(kind);
  }
};

void destroy(PyObject* capsule) {
  delete static_cast<Check*>(PyCapsule_GetPointer(capsule, nullptr));
}

bool whole(PyObject* object, const char* name, long& found) {
  PyObject* value = PyObject_GetAttrString(object, name);
  if (value == nullptr) return false;
  found = PyLong_AsLong(value);
  Py_DECREF(value);
  return !(found == -1 && PyErr_Occurred());
}

bool metas(Check& check, PyObject* op, const char* name, std::vector<Meta>& found) {
  PyObject* infos = PyObject_GetAttrString(op, name);
  if (infos == nullptr || !PyTuple_Check(infos)) {
    Py_XDECREF(infos);
    return false;
  }
  bool fits = true;
  for (Py_ssize_t i = 0; fits && i < PyTuple_GET_SIZE(infos); i++) {
    PyObject* info = PyTuple_GET_ITEM(infos, i);
    PyObject* shape = PyTuple_GetItem(info, 0);
    PyObject* dtype = PyTuple_GetItem(info, 1);
    PyObject* device = PyTuple_GetItem(info, 2);
    fits = shape && dtype && device && PyTuple_Check(shape) && THPDtype_Check(dtype) &&
        THPDevice_Check(device);
    if (!fits) break;
    auto begin = static_cast<uint32_t>(check.sizes.size());
    for (Py_ssize_t d = 0; d < PyTuple_GET_SIZE(shape); d++)
      check.sizes.push_back(PyLong_AsLongLong(PyTuple_GET_ITEM(shape, d)));
    found.push_back({reinterpret_cast<THPDtype*>(dtype)->scalar_type,
                     reinterpret_cast<THPDevice*>(device)->device, begin,
                     static_cast<uint32_t>(check.sizes.size())});
  }
  Py_DECREF(infos);
  return fits && !PyErr_Occurred();
}

Check* prepared(PyObject* op) {
  PyObject* capsule = py.check(op);
  if (capsule != nullptr && capsule != Py_None)
    return static_cast<Check*>(PyCapsule_GetPointer(capsule, nullptr));
  auto check = std::make_unique<Check>();
  long from = 0, to = 0, plain = 0;
  check->func = PyObject_GetAttrString(op, "func");
  check->code = PyObject_GetAttrString(op, "code");
  check->kind = PyObject_GetAttrString(op, "kind");
  check->fits = check->func && check->code && check->kind && whole(op, "plain", plain) && plain &&
      whole(op, "lasti", check->lasti) && whole(op, "hops", check->hops) &&
      whole(op, "watch", check->watch) && whole(op, "seq_from", from) &&
      whole(op, "seq_to", to) && from >= 0 && metas(*check, op, "inputs", check->inputs) &&
      metas(*check, op, "outputs", check->outputs);
  PyErr_Clear();
  check->seq_from = from, check->seq_to = to;
  Check* made = check.get();
  capsule = PyCapsule_New(made, nullptr, destroy);
  if (capsule == nullptr) {
    PyErr_Clear();
    return nullptr;
  }
  check.release();
  py.check.set(op, capsule);
  return made;
}

bool alike(const Check& check, const Meta& known, PyObject* object, bool device) {
  const at::Tensor& tensor = THPVariable_Unpack(object);
  if (!tensor.defined()) return false;
  auto* impl = tensor.unsafeGetTensorImpl();
  if (impl->has_symbolic_sizes_strides() || tensor.is_nested()) return false;
  auto sizes = tensor.sizes();
  return sizes.size() == known.end - known.begin && tensor.scalar_type() == known.dtype &&
      std::equal(sizes.begin(), sizes.end(), check.sizes.begin() + known.begin) &&
      (!device || tensor.device() == known.device);
}

// As _compare in forward.py: how many are as known, from `place` on; -1 where one isn't.
Py_ssize_t compare(const Check& check, const std::vector<Meta>& known, PyObject* const* items,
                   Py_ssize_t count, Py_ssize_t place) {
  for (Py_ssize_t i = 0; i < count && place >= 0; i++) {
    PyObject* item = items[i];
    if (THPVariable_CheckExact(item)) {
      if (place >= static_cast<Py_ssize_t>(known.size()) ||
          !alike(check, known[place], item, false))
        return -1;
      place++;
    } else if (PyList_CheckExact(item) || PyTuple_CheckExact(item)) {
      place = compare(check, known, PySequence_Fast_ITEMS(item), PySequence_Fast_GET_SIZE(item), place);
    }
  }
  return place;
}

bool same_tensors(const Check& check, PyObject* args, PyObject* kwargs, PyObject* result) {
  if (reinterpret_cast<PyObject*>(Py_TYPE(result)) != check.kind) return false;
  auto outputs = static_cast<Py_ssize_t>(check.outputs.size());
  if (THPVariable_CheckExact(result)) {
    if (outputs != 1 || !alike(check, check.outputs[0], result, true)) return false;
  } else {
    if (!PyList_CheckExact(result) && !PyTuple_Check(result)) return false;
    if (compare(check, check.outputs, PySequence_Fast_ITEMS(result),
                PySequence_Fast_GET_SIZE(result), 0) != outputs)
      return false;
  }
  Py_ssize_t place =
      compare(check, check.inputs, PySequence_Fast_ITEMS(args), PySequence_Fast_GET_SIZE(args), 0);
  if (kwargs != nullptr && place >= 0) {
    PyObject* value;
    Py_ssize_t at = 0;
    while (place >= 0 && PyDict_Next(kwargs, &at, nullptr, &value))
      place = compare(check, check.inputs, &value, 1, place);
  }
  return place == static_cast<Py_ssize_t>(check.inputs.size());
}

bool same_place(const Check& check, PyFrameObject* caller) {
  PyFrameObject* frame = caller;
  Py_XINCREF(frame);
  for (long hop = 0; frame != nullptr && hop < check.hops; hop++) {
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  if (frame == nullptr) return false;
  PyCodeObject* code = PyFrame_GetCode(frame);
#if PY_VERSION_HEX >= 0x030b0000
  long lasti = PyFrame_GetLasti(frame);
#else
  long lasti = frame->f_lasti * static_cast<long>(sizeof(_Py_CODEUNIT));
#endif
  bool same = reinterpret_cast<PyObject*>(code) == check.code && lasti == check.lasti;
  Py_DECREF(code);
  Py_DECREF(frame);
  return same;
}

// -- whether all numbers are finite

FOR_EACH_CPU bool finite32(const uint32_t* words, int64_t count) {
  constexpr int64_t kBlock = 16384;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = begin + kBlock < count ? begin + kBlock : count;
    uint32_t bad = 0;
    for (int64_t i = begin; i < end; i++) bad |= (words[i] & 0x7f800000u) == 0x7f800000u;
    if (bad) return false;
  }
  return true;
}

FOR_EACH_CPU bool finite64(const uint64_t* words, int64_t count) {
  constexpr uint64_t kExponent = 0x7ff0000000000000ull;
  uint64_t bad = 0;
  for (int64_t i = 0; i < count; i++) bad |= (words[i] & kExponent) == kExponent;
  return !bad;
}

FOR_EACH_CPU bool finite16(const uint16_t* words, int64_t count, uint16_t exponent) {
  uint16_t bad = 0;
  for (int64_t i = 0; i < count; i++) bad |= (words[i] & exponent) == exponent;
  return !bad;
}

enum Finite { kBad, kFinite, kUnknown };

const uint64_t kPlainKeys = (c10::DispatchKeySet(c10::DispatchKey::CPU) |
                             c10::DispatchKeySet(c10::DispatchKey::ADInplaceOrView) |
                             c10::DispatchKeySet(c10::DispatchKey::AutogradCPU) |
                             c10::DispatchKeySet(c10::DispatchKey::AutocastCPU))
                                .raw_repr();

// The numbers of a plain tensor in memory; nullptr where torch has to be asked, in Python.
const void* numbers(const at::Tensor& tensor, int64_t count) {
  if (!tensor.defined()) return nullptr;
  auto* impl = tensor.unsafeGetTensorImpl();
  if ((impl->key_set().raw_repr() & ~kPlainKeys) != 0 || impl->has_symbolic_sizes_strides() ||
      !tensor.is_non_overlapping_and_dense() || !impl->has_storage())
    return nullptr;
  auto size = static_cast<int64_t>(tensor.element_size());
  if (impl->storage().nbytes() < static_cast<size_t>((count + tensor.storage_offset()) * size))
    return nullptr;
  return tensor.const_data_ptr();
}

Finite finite(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.unsafeGetTensorImpl()->has_symbolic_sizes_strides())
    return kUnknown;
  auto type = tensor.scalar_type();
  int64_t count = tensor.numel();
  const void* data = count > kLarge ? nullptr : numbers(tensor, count);
  if (data == nullptr) return kUnknown;
  bool all;
  switch (type) {
    case at::kFloat: all = finite32(static_cast<const uint32_t*>(data), count); break;
    case at::kComplexFloat: all = finite32(static_cast<const uint32_t*>(data), 2 * count); break;
    case at::kDouble: all = finite64(static_cast<const uint64_t*>(data), count); break;
    case at::kComplexDouble: all = finite64(static_cast<const uint64_t*>(data), 2 * count); break;
    case at::kHalf: all = finite16(static_cast<const uint16_t*>(data), count, 0x7c00); break;
    case at::kBFloat16: all = finite16(static_cast<const uint16_t*>(data), count, 0x7f80); break;
    default: return kUnknown;
  }
  return all ? kFinite : kBad;
}

// -- work of ours that debuggers don't trace

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
    } else if (PyErr_Occurred() == nullptr || PyErr_ExceptionMatches(PyExc_Exception)) {
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
    if (PyErr_ExceptionMatches(PyExc_Exception)) {
      PyErr_Clear();  // it is caught in Python; what remains is none of the program's
    } else {
      Py_CLEAR(result);  // an interrupt is the program's
    }
  }
  Py_DECREF(trail);
  return result;
}

// all_finite(tensors): True or False; None where torch has to be asked.
PyObject* all_finite(PyObject*, PyObject* tensors) {
  PyObject* items = PySequence_Fast(tensors, "tensors are expected");
  if (items == nullptr) return nullptr;
  PyObject* answer = Py_True;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items) && answer == Py_True; i++) {
    PyObject* item = PySequence_Fast_GET_ITEM(items, i);
    Finite found = THPVariable_CheckExact(item) ? finite(THPVariable_Unpack(item)) : kUnknown;
    answer = found == kFinite ? Py_True : found == kBad ? Py_False : Py_None;
  }
  Py_DECREF(items);
  Py_INCREF(answer);
  return answer;
}

// number(tensor): what a tensor of one number holds; None where torch has to be asked.
PyObject* number(PyObject*, PyObject* object) {
  if (!THPVariable_CheckExact(object)) Py_RETURN_NONE;
  const at::Tensor& tensor = THPVariable_Unpack(object);
  auto* impl = tensor.unsafeGetTensorImpl();
  if (impl->has_symbolic_sizes_strides() || impl->numel() != 1) Py_RETURN_NONE;
  const void* data = numbers(tensor, 1);
  if (data != nullptr && tensor.scalar_type() == at::kFloat)
    return PyFloat_FromDouble(*static_cast<const float*>(data));
  if (data != nullptr && tensor.scalar_type() == at::kDouble)
    return PyFloat_FromDouble(*static_cast<const double*>(data));
  Py_RETURN_NONE;
}

// all_zero(tensor): False where its first number isn't 0; None where torch has to be asked.
PyObject* all_zero(PyObject*, PyObject* object) {
  if (!THPVariable_CheckExact(object)) Py_RETURN_NONE;
  const at::Tensor& tensor = THPVariable_Unpack(object);
  auto* impl = tensor.unsafeGetTensorImpl();
  if (impl->has_symbolic_sizes_strides() || impl->numel() == 0) Py_RETURN_NONE;
  const void* data = numbers(tensor, 1);
  if (data != nullptr && tensor.scalar_type() == at::kFloat && *static_cast<const float*>(data) != 0)
    Py_RETURN_FALSE;
  Py_RETURN_NONE;
}

// -- what an optimizer is about to change

// settings(groups, varying): as _settings in optimizers.py, a tuple; None where Python has to do it.
PyObject* settings(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count != 2 || !PyList_Check(given[0]) || !PyTuple_Check(given[1])) Py_RETURN_NONE;
  PyObject* found = PyList_New(0);
  bool fits = found != nullptr;
  for (Py_ssize_t g = 0; fits && g < PyList_GET_SIZE(given[0]); g++) {
    PyObject* group = PyList_GET_ITEM(given[0], g);
    fits = PyDict_Check(group);
    PyObject *key, *value;
    for (Py_ssize_t at = 0; fits && PyDict_Next(group, &at, &key, &value);) {
      bool varies = false;
      for (Py_ssize_t v = 0; v < PyTuple_GET_SIZE(given[1]); v++)
        varies |= PyUnicode_Check(key) && PyUnicode_Compare(key, PyTuple_GET_ITEM(given[1], v)) == 0;
      if (varies) continue;
      bool plain = value == Py_None || PyBool_Check(value) || PyLong_Check(value) ||
          PyFloat_Check(value) || PyUnicode_Check(value);
      PyObject* item = plain ? Py_NewRef(value) : PyLong_FromVoidPtr(value);
      fits = item != nullptr && PyList_Append(found, item) == 0;
      Py_XDECREF(item);
    }
    PyObject* items = fits ? PyDict_GetItemString(group, "params") : nullptr;
    fits = items != nullptr && PyList_Check(items);
    for (Py_ssize_t i = 0; fits && i < PyList_GET_SIZE(items); i++) {
      PyObject* item = PyList_GET_ITEM(items, i);
      fits = THPVariable_CheckExact(item) &&
          PyList_Append(found, THPVariable_Unpack(item).grad().defined() ? Py_True : Py_False) == 0;
    }
  }
  PyErr_Clear();
  PyObject* answer = fits ? PyList_AsTuple(found) : Py_NewRef(Py_None);
  Py_XDECREF(found);
  return answer;
}

// parameters(groups): those that have a gradient, that can't learn, and that learn without a gradient;
// None where Python has to do it.
PyObject* parameters(PyObject*, PyObject* groups) {
  if (!PyList_Check(groups)) Py_RETURN_NONE;
  PyObject* lists[] = {PyList_New(0), PyList_New(0), PyList_New(0)};
  bool fits = lists[0] && lists[1] && lists[2];
  for (Py_ssize_t g = 0; fits && g < PyList_GET_SIZE(groups); g++) {
    PyObject* group = PyList_GET_ITEM(groups, g);
    PyObject* items = PyDict_Check(group) ? PyDict_GetItemString(group, "params") : nullptr;
    fits = items != nullptr && PyList_Check(items);
    for (Py_ssize_t i = 0; fits && i < PyList_GET_SIZE(items); i++) {
      PyObject* item = PyList_GET_ITEM(items, i);
      fits = THPVariable_CheckExact(item);
      if (!fits) break;
      const at::Tensor& tensor = THPVariable_Unpack(item);
      bool learns = tensor.requires_grad(), got = tensor.grad().defined();
      if (got) fits = PyList_Append(lists[0], item) == 0;
      if (!learns) fits = fits && PyList_Append(lists[1], item) == 0;
      if (learns && !got) fits = PyList_Append(lists[2], item) == 0;
    }
  }
  PyErr_Clear();
  if (fits) return Py_BuildValue("NNN", lists[0], lists[1], lists[2]);
  for (PyObject* list : lists) Py_XDECREF(list);
  Py_RETURN_NONE;
}

#include "native_steps.h"

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
