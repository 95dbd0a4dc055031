// Operations that are expected, of native.cpp, which includes this: what is known of them, compared with what
// ran, as forward.py does it.

#pragma once

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
