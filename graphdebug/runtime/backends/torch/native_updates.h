// Optimizer steps that are as they were before, and end the program's step, of native.cpp, which includes
// this. Everything else goes the way of optimizers.py, learning.py and repeats.py, whose meaning this keeps.

#pragma once

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

// Whether an optimizer is about to do what it did before, in the same way; its Update then.
PyObject* expected_update(PyObject* trail, PyObject* optimizer, PyObject* args, PyObject* kwargs) {
  if (!PyTuple_Check(args) || PyTuple_GET_SIZE(args) > 1 || !PyDict_Check(kwargs) || PyDict_GET_SIZE(kwargs))
    return nullptr;
  PyObject* next = py.next(py.at(trail));
  if (next == nullptr || !Py_IS_TYPE(next, steps.update)) return nullptr;
  PyObject *key = steps.key(next), *last = steps.last(next);
  if (key == nullptr || last == nullptr || last == Py_None || !PyTuple_CheckExact(key) ||
      PyTuple_GET_SIZE(key) < 2 || PyTuple_GET_ITEM(key, 1) != Py_True ||
      PyTuple_GET_ITEM(key, 0) != reinterpret_cast<PyObject*>(Py_TYPE(optimizer)) ||
      PyLong_AsLong(steps.times(next)) < 2 || (PyLong_AsLong(steps.passed(next)) + 1) % 64 == 0)
    return nullptr;
  Held groups(attribute(optimizer, NAME("param_groups")));
  PyObject* asked[] = {groups, steps.varying};
  Held now(groups ? settings(nullptr, asked, 2) : nullptr);
  if (!now || !PyTuple_CheckExact(now) || PyTuple_GET_SIZE(now.object) + 2 != PyTuple_GET_SIZE(key))
    return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(now.object); i++)
    if (PyObject_RichCompareBool(PyTuple_GET_ITEM(now.object, i), PyTuple_GET_ITEM(key, i + 2), Py_EQ) != 1)
      return nullptr;
  return next;
}

bool begins_as_usual(PyObject* backend, PyObject* optimizer, PyObject* args, PyObject* kwargs, PyObject* frame) {
  bool plain = false;
  Held trail(usual(backend, 0, plain));
  PyObject* update = trail && !plain ? expected_update(trail, optimizer, args, kwargs) : nullptr;
  if (!trail || (update == nullptr && !plain) || !PyFrame_Check(frame)) return false;
  Held updates(attribute(trail, NAME("updates"))), mode(attribute(trail, NAME("mode")));
  Held open(attribute(updates, NAME("_open")));
  long place = -1;
  if (!mode || !open || !PyList_CheckExact(open) || PyList_GET_SIZE(open.object) != 0 ||
      (!plain && (modes_on(mode, place) != 1 || place != 0)))
    return false;
  Held code(reinterpret_cast<PyObject*>(PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(frame))));
  Held address(PyLong_FromVoidPtr(frame)), one(PyLong_FromLong(1));
  Held named(address ? PyTuple_Pack(2, address.object, code.object) : nullptr);
  Held passed(plain ? nullptr : PyLong_FromLong(PyLong_AsLong(steps.passed(update)) + 1));
  if (!named || !one || PyErr_Occurred() || PyList_Append(open, named) < 0) return false;
  if (plain) {
    steps.updating.set(trail, Py_NewRef(one));
    return true;
  }
  Held popped(PyObject_CallNoArgs(steps.pop));
  if (!popped || PyObject_SetAttr(updates, NAME("_update"), update) < 0 ||
      PyObject_SetAttr(updates, NAME("_quiet"), Py_True) < 0)
    return false;
  steps.passed.set(update, Py_NewRef(passed));
  steps.updating.set(trail, Py_NewRef(one));
  py.at.set(trail, Py_NewRef(update));
  return true;
}

// begin_update(backend, optimizer, args, kwargs, frame): as optimizers.begin.
PyObject* begin_update(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count == 5 && begins_as_usual(given[0], given[1], given[2], given[3], given[4])) Py_RETURN_NONE;
  PyErr_Clear();
  return PyObject_Vectorcall(steps.begin_update, given, count, nullptr);
}

// Whether a frame stands where an Update was over before: (code, lasti, hops, source).
bool stands_as_before(PyObject* where, PyObject* frame) {
  if (where == nullptr || !PyTuple_CheckExact(where) || PyTuple_GET_SIZE(where) != 4 || !PyFrame_Check(frame))
    return false;
  Check check;
  check.code = Py_NewRef(PyTuple_GET_ITEM(where, 0));
  check.lasti = PyLong_AsLong(PyTuple_GET_ITEM(where, 1));
  check.hops = PyLong_AsLong(PyTuple_GET_ITEM(where, 2));
  return same_place(check, reinterpret_cast<PyFrameObject*>(frame));
}

// What an optimizer's parameters are after its step: nothing of it is to be told, where this is true.
// `first` is the first gradient then. As watch.stepped and learning.stepped.
bool all_well(PyObject* groups, PyObject*& first) {
  if (!PyList_CheckExact(groups)) return false;
  bool rate = false, moved = false;
  first = nullptr;
  for (Py_ssize_t g = 0; g < PyList_GET_SIZE(groups); g++) {
    PyObject* group = PyList_GET_ITEM(groups, g);
    PyObject* items = PyDict_Check(group) ? PyDict_GetItemString(group, "params") : nullptr;
    PyObject* set = PyDict_Check(group) ? PyDict_GetItemString(group, "lr") : nullptr;
    if (items == nullptr || !PyList_CheckExact(items) || set == nullptr || !PyFloat_CheckExact(set)) return false;
    rate |= PyFloat_AS_DOUBLE(set) != 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
      PyObject* item = PyList_GET_ITEM(items, i);
      if (!THPVariable_CheckExact(item)) return false;
      const at::Tensor& tensor = THPVariable_Unpack(item);
      const at::Tensor& gradient = tensor.grad();
      if (!tensor.requires_grad() || !gradient.defined() || gradient.layout() != at::kStrided ||
          finite(tensor) != kFinite || gradient.unsafeGetTensorImpl()->has_symbolic_sizes_strides())
        return false;
      if (first == nullptr) first = item;
      if (!moved && gradient.numel() > 0) {
        const void* data = numbers(gradient, gradient.numel());
        moved = data != nullptr && gradient.scalar_type() == at::kFloat && *static_cast<const float*>(data) != 0;
        moved |= data != nullptr && gradient.scalar_type() == at::kDouble && *static_cast<const double*>(data) != 0;
      }
    }
  }
  return first != nullptr && rate && moved;
}

// Whether what there is to see of an optimizer's step was seen, and was nothing.
bool seen(PyObject* trail, PyObject* optimizer) {
  PyObject* watch = py.watcher(trail);
  if (py.on(watch) == Py_False) return true;
  if (py.on(watch) != Py_True || !calm(trail)) return false;
  Held learning(attribute(trail, NAME("learning")));
  Held table(attribute(learning, NAME("_known")));
  Held data(attribute(table, NAME("data"))), reference(PyWeakref_NewRef(optimizer, nullptr));
  PyObject* known = data && reference && PyDict_Check(data) ? PyDict_GetItem(data, reference) : nullptr;
  Held clean(attribute(known, NAME("clean"))), zeroed(attribute(learning, NAME("zeroed")));
  Held groups(attribute(optimizer, NAME("param_groups")));
  PyObject* first = nullptr;
  if (!groups || clean != Py_True || zeroed != Py_True || !all_well(groups, first)) return false;
  Held gradient(PyObject_GetAttr(first, NAME("grad")));
  Held weakly(gradient ? PyWeakref_NewRef(gradient, nullptr) : nullptr), none(PyLong_FromLong(0));
  if (!weakly || !none || PyObject_SetAttr(known, NAME("gradient"), weakly) < 0) return false;
  add(known, NAME("steps"), 1);
  PyObject_SetAttr(learning, NAME("zeroed"), Py_False);
  PyObject_SetAttr(learning, NAME("passes"), none);
  return PyErr_Occurred() == nullptr;
}

// Reports a step that is in all but its time and loss as step `last`; its index, -1 where Python has to.
// As Recorder.again, whose lock it takes where that is free.
long again(PyObject* backend, long last, int64_t took, PyObject* loss) {
  Held runtime(attribute(backend, NAME("runtime")));
  Held recorder(attribute(runtime, NAME("recorder")));
  Held lock(attribute(recorder, NAME("_lock")));
  Held taken(lock ? PyObject_CallMethodOneArg(lock, NAME("acquire"), Py_False) : nullptr);
  if (taken != Py_True) return -1;
  long index = -1;
  {
    Held run(attribute(recorder, NAME("_run"))), made(attribute(recorder, NAME("_steps")));
    Held alerts(attribute(recorder, NAME("_alerts")));
    Held sent(run != Py_None ? attribute(run, NAME("_sent")) : nullptr);
    Held more(sent == Py_False ? attribute(run, NAME("more")) : nullptr);
    Held entry(more ? Py_BuildValue("LO", static_cast<long long>(took), loss) : nullptr);
    Held next(PyLong_FromLong(last + 2));
    if (entry && next && PyList_CheckExact(more) && PyList_GET_SIZE(more.object) < kRun && is(alerts, 0) && is(made, last + 1) &&
        PyList_Append(more, entry) == 0 && PyObject_SetAttr(recorder, NAME("_steps"), next) == 0)
      index = last + 1;
  }
  Held done(PyObject_CallMethodNoArgs(lock, NAME("release")));
  return index;
}

int64_t now_ns() {  // as time.perf_counter_ns
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Whether the open step was closed as the one before; as repeats.repeat.
bool repeated(PyObject* trail, PyObject* source) {
  PyObject *at = py.at(trail), *watch = py.watcher(trail), *loss = steps.loss(trail);
  Held backend(attribute(trail, NAME("backend"))), ended(attribute(trail, NAME("ended")));
  Held last(ended && PyObject_Size(ended) > 0 ? PySequence_GetItem(ended, -1) : nullptr);
  Held closed(attribute(trail, NAME("closed"))), marks(attribute(watch, NAME("_marks")));
  Held partial(attribute(trail, NAME("partial"))), had(attribute(trail, NAME("had_loss")));
  Held started(attribute(trail, NAME("_started"))), root(attribute(trail, NAME("root")));
  Held stops(attribute(trail, NAME("stops")));
  Held past(attribute(stops, NAME("past")));
  if (!last || !PyTuple_Check(last) || PyTuple_GET_SIZE(last.object) != 4 ||
      PyTuple_GET_ITEM(last.object, 2) != at || !closed || !PyTuple_CheckExact(closed) ||
      PyTuple_GET_ITEM(closed.object, 1) != source || partial != Py_False || !marks ||
      !PyDict_CheckExact(marks) || PyDict_GET_SIZE(marks.object) != 0 || !calm(trail) || !root ||
      (loss != Py_None) != (had == Py_True) || !past || !started)
    return false;
  int64_t now = now_ns(), begun = PyLong_AsLongLong(started);
  long index = again(backend, PyLong_AsLong(PyTuple_GET_ITEM(last.object, 0)), now - begun, loss);
  if (index < 0) return false;
  Held number(PyLong_FromLong(index)), time(PyLong_FromLongLong(now));
  PyObject* parts[] = {number, PyTuple_GET_ITEM(last.object, 1), at, Py_None};
  Held ending(PyObject_Vectorcall(reinterpret_cast<PyObject*>(Py_TYPE(last.object)), parts, 4, nullptr));
  Held added(ending ? PyObject_CallMethodOneArg(ended, NAME("append"), ending) : nullptr);
  add(trail, NAME("steps"), 1);
  steps.open.set(watch, Py_NewRef(Py_False));
  steps.last_pass.set(watch, Py_NewRef(Py_None));
  PyObject_SetAttr(watch, NAME("read_out"), Py_None);
  PyObject_SetAttr(trail, NAME("_started"), time);
  Held begin(Py_NewRef(py.base(trail))), end(PyLong_FromUnsignedLongLong(at::sequence_number::peek()));
  PyObject* step[] = {past, begin, end, at};
  Held kept(PyObject_VectorcallMethod(NAME("add"), step, 4, nullptr));
  py.base.set(trail, Py_NewRef(end));
  py.at.set(trail, Py_NewRef(root));
  py.place.set(trail, Py_NewRef(Py_None));
  py.loop.set(trail, Py_NewRef(Py_None));
  steps.loss.set(trail, Py_NewRef(Py_None));
  steps.after_backward.set(trail, Py_NewRef(Py_False));
  PyObject_SetAttr(trail, NAME("in_body"), Py_False);
  return true;
}

// Whether a step of which its time alone is told was closed as the one before; as PlainSteps.close.
bool plain_closed(PyObject* backend, PyObject* trail, PyObject* optimizer, PyObject* frame) {
  Held plain(attribute(trail, NAME("plain_steps")));
  Held kind(attribute(plain, NAME("_kind"))), where(attribute(plain, NAME("_where")));
  Held index(attribute(plain, NAME("_index"))), had(attribute(plain, NAME("_told_loss")));
  Held started(attribute(trail, NAME("_started"))), updates(attribute(trail, NAME("updates")));
  Held open(attribute(updates, NAME("_open")));
  PyObject* loss = steps.loss(trail);
  if (!open || !PyList_CheckExact(open) || PyList_GET_SIZE(open.object) != 1 || !index || !started ||
      kind != reinterpret_cast<PyObject*>(Py_TYPE(optimizer)) || (loss != Py_None) != (had == Py_True) ||
      !stands_as_before(where, frame))
    return false;
  int64_t now = now_ns();
  long made = again(backend, PyLong_AsLong(index), now - PyLong_AsLongLong(started), loss);
  if (made < 0) return false;
  Held number(PyLong_FromLong(made)), time(PyLong_FromLongLong(now));
  PyObject_SetAttr(plain, NAME("_index"), number);
  PyObject_SetAttr(trail, NAME("_started"), time);
  add(trail, NAME("steps"), 1);
  steps.loss.set(trail, Py_NewRef(Py_None));
  steps.updating.set(trail, PyLong_FromLong(0));
  PyList_SetSlice(open, 0, 1, nullptr);
  return true;
}

// Whether all of an optimizer's end was as usual; its trail stands behind it then, and only the step
// itself is left to be closed. `source` is the user's line.
bool ends_as_usual(PyObject* trail, PyObject* optimizer, PyObject* frame, PyObject** source) {
  Held updates(attribute(trail, NAME("updates"))), mode(attribute(trail, NAME("mode")));
  Held quiet(attribute(updates, NAME("_quiet"))), update(attribute(updates, NAME("_update")));
  Held open(attribute(updates, NAME("_open")));
  if (quiet != Py_True || !update || !Py_IS_TYPE(update.object, steps.update) || !open || !mode ||
      !PyList_CheckExact(open) || PyList_GET_SIZE(open.object) != 1 || steps.last(update) == nullptr ||
      steps.last(update) == Py_None || !stands_as_before(steps.where(update), frame) ||
      !seen(trail, optimizer) || !put_on(mode))
    return false;
  PyList_SetSlice(open, 0, 1, nullptr);
  PyObject_SetAttr(updates, NAME("_quiet"), Py_False);
  PyObject_SetAttr(updates, NAME("_update"), Py_None);
  steps.updating.set(trail, PyLong_FromLong(0));
  py.at.set(trail, Py_NewRef(steps.last(update)));
  *source = PyTuple_GET_ITEM(steps.where(update), 3);
  return true;
}

// end_update(backend, optimizer, frame): as optimizers.end.
PyObject* end_update(PyObject*, PyObject* const* given, Py_ssize_t count) {
  PyObject* source = nullptr;
  bool plain = false;
  Held trail(count == 3 ? usual(given[0], 1, plain) : nullptr);
  if (trail && plain && plain_closed(given[0], trail, given[1], given[2])) Py_RETURN_NONE;
  bool ended = trail && !plain && ends_as_usual(trail, given[1], given[2], &source);
  PyErr_Clear();
  if (!ended) return PyObject_Vectorcall(steps.end_update, given, count, nullptr);
  bool outermost = !quiet;
  if (outermost) enter_quiet();
  bool done = repeated(trail, source);
  if (outermost) leave_quiet();
  if (PyErr_Occurred() != nullptr && !raised_is_ours()) {
    steps.interrupted.set(trail, Py_NewRef(Py_True));  // as interrupts.notice; it is the program's
    return nullptr;
  }
  PyErr_Clear();
  if (done) Py_RETURN_NONE;
  PyObject* arguments[] = {trail, given[1], source};
  return quietly(steps.close, arguments, 3, nullptr);
}

// bind_steps(Trail, Watch, Pass, Update, functions): likewise. Raises TypeError.
PyObject* bind_steps(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count != 5 || !PyTuple_CheckExact(given[4]) || PyTuple_GET_SIZE(given[4]) != 12)
    return PyErr_Format(PyExc_TypeError, "bind_steps takes four classes and 12 functions");
  PyObject *trail = given[0], *watch = given[1], *pass = given[2], *update = given[3];
  bool fits = slot(pass, "plain", steps.plain) && slot(update, "key", steps.key) &&
      slot(update, "last", steps.last) && slot(update, "times", steps.times) &&
      slot(update, "passed", steps.passed) && slot(update, "where", steps.where) &&
      slot(trail, "wanted", steps.wanted) && slot(trail, "aside", steps.aside) &&
      slot(trail, "interrupted", steps.interrupted) && slot(trail, "standing", steps.standing) &&
      slot(trail, "on", steps.on) && slot(trail, "in_backward", steps.in_backward) &&
      slot(trail, "updating", steps.updating) && slot(trail, "loss", steps.loss) &&
      slot(trail, "after_backward", steps.after_backward) && slot(watch, "open", steps.open) &&
      slot(watch, "spoilt_loss", steps.spoilt_loss) && slot(watch, "at_zero", steps.at_zero) &&
      slot(watch, "suspects", steps.suspects) && slot(watch, "last_pass", steps.last_pass);
  if (!fits) return nullptr;
  steps.pass = reinterpret_cast<PyTypeObject*>(Py_NewRef(pass));
  steps.update = reinterpret_cast<PyTypeObject*>(Py_NewRef(update));
  PyObject** places[] = {&steps.begin_pass, &steps.end_pass, &steps.begin_update, &steps.end_update,
                         &steps.look, &steps.close, &steps.push, &steps.pop, &steps.length, &steps.get,
                         &steps.take_out, &steps.varying};
  for (Py_ssize_t i = 0; i < 12; i++) *places[i] = Py_NewRef(PyTuple_GET_ITEM(given[4], i));
  Py_RETURN_NONE;
}
