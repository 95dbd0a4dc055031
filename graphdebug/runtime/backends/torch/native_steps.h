// Backward passes and optimizer steps that are as they were before, of native.cpp, which includes this: their
// graph is compared with what is known, and where nothing of it is new, Python only hears that a step is
// over. Everything else goes the way of backward.py and optimizers.py, whose meaning this has to keep.

#pragma once

// -- the graph that a backward pass runs

struct Graph {
  PyObject_HEAD
  std::vector<NodePtr>* nodes;
  PyObject *trail, *event;  // owned; of a pass that is under way, else nullptr
  bool put_on;              // whether the mode was put on for it
};

void graph_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  auto* nodes = reinterpret_cast<Graph*>(self)->nodes;
  reinterpret_cast<Graph*>(self)->nodes = nullptr;
  delete nodes;
  Py_XDECREF(reinterpret_cast<Graph*>(self)->trail);
  Py_XDECREF(reinterpret_cast<Graph*>(self)->event);
  type->tp_free(self);
  Py_DECREF(type);
}

Py_ssize_t graph_length(PyObject* self) {
  return static_cast<Py_ssize_t>(reinterpret_cast<Graph*>(self)->nodes->size());
}

PyObject* graph_item(PyObject* self, Py_ssize_t at) {
  auto& nodes = *reinterpret_cast<Graph*>(self)->nodes;
  if (at < 0 || at >= static_cast<Py_ssize_t>(nodes.size())) {
    PyErr_SetString(PyExc_IndexError, "no such node");
    return nullptr;
  }
  return torch::autograd::functionToPyObject(nodes[at]);
}

PyType_Slot graph_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(graph_dealloc)},
                             {Py_sq_length, reinterpret_cast<void*>(graph_length)},
                             {Py_sq_item, reinterpret_cast<void*>(graph_item)},
                             {0, nullptr}};
PyType_Spec graph_spec = {"graphdebug.Graph", sizeof(Graph), 0, Py_TPFLAGS_DEFAULT, graph_slots};
PyTypeObject* graph_type = nullptr;

Graph* graph_of(std::unique_ptr<std::vector<NodePtr>> nodes) {
  auto* graph = PyObject_New(Graph, graph_type);
  if (graph == nullptr) return nullptr;
  graph->nodes = nodes.release();
  graph->trail = graph->event = nullptr;
  graph->put_on = false;
  return graph;
}

// walk(outputs, base): as _walk in backward.py, (nodes, signature); None where Python has to do it.
PyObject* walk(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "walk takes 2 arguments");
  uint64_t base = PyLong_AsUnsignedLongLong(given[1]);
  if (PyErr_Occurred()) return nullptr;
  PyObject* outputs = PySequence_Fast(given[0], "tensors are expected");
  if (outputs == nullptr) return nullptr;
  auto nodes = std::make_unique<std::vector<NodePtr>>();
  std::unordered_set<Node*> seen;
  bool fits = true;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(outputs) && fits; i++) {
    PyObject* item = PySequence_Fast_GET_ITEM(outputs, i);
    fits = THPVariable_CheckExact(item);
    if (!fits) break;
    NodePtr node = THPVariable_Unpack(item).grad_fn();
    if (node && seen.insert(node.get()).second) nodes->push_back(std::move(node));
  }
  Py_DECREF(outputs);
  if (!fits) Py_RETURN_NONE;
  std::vector<int64_t> signature;
  for (size_t i = 0; i < nodes->size(); i++) {
    uint64_t seq = (*nodes)[i]->sequence_nr();
    signature.push_back(seq >= kLeaf ? -2 : seq >= base ? static_cast<int64_t>(seq - base) : -1);
    size_t edges = (*nodes)[i]->num_outputs();
    for (size_t e = 0; e < edges; e++) {
      const auto& following = (*nodes)[i]->next_edge(e).function;
      if (following && seen.insert(following.get()).second) nodes->push_back(following);
    }
  }
  PyObject* numbers = PyTuple_New(static_cast<Py_ssize_t>(signature.size()));
  if (numbers == nullptr) return nullptr;
  for (size_t i = 0; i < signature.size(); i++)
    PyTuple_SET_ITEM(numbers, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(signature[i]));
  Graph* graph = graph_of(std::move(nodes));
  if (graph == nullptr) {
    Py_DECREF(numbers);
    return nullptr;
  }
  return Py_BuildValue("NN", graph, numbers);
}

// -- backward passes and optimizer steps that are as they were before

struct {
  PyTypeObject *pass = nullptr, *update = nullptr;
  Slot plain;                           // of a Pass
  Slot key, last, times, passed, where;  // of an Update
  Slot wanted, aside, interrupted, standing, on, in_backward, updating, loss, after_backward;  // of a Trail
  Slot open, spoilt_loss, at_zero, suspects, last_pass;  // of a Watch
  // Python's: what is done where something isn't as usual, and what is left to it.
  PyObject *begin_pass, *end_pass, *begin_update, *end_update, *look, *close;
  PyObject *push, *pop, *length, *get, *take_out, *varying;  // of modes, and of optimizers
} steps;

// An object that goes with its scope.
struct Held {
  PyObject* object;
  explicit Held(PyObject* found) : object(found) {}
  ~Held() { Py_XDECREF(object); }
  Held(const Held&) = delete;
  operator PyObject*() const { return object; }
};

PyObject* attribute(PyObject* object, PyObject* name) {
  return object == nullptr ? nullptr : PyObject_GetAttr(object, name);
}

// A name, made once.
#define NAME(text) ([]() -> PyObject* { static PyObject* name = PyUnicode_InternFromString(text); return name; }())

bool is(PyObject* value, long number) {
  return value != nullptr && PyLong_Check(value) && PyLong_AsLong(value) == number;
}

// The calling thread's trail, if that is in its usual state: nothing but a step of its own under way, and
// of steps either all is looked at, or their times alone (`plain`).
PyObject* usual(PyObject* backend, long updating, bool& plain) {
  Held local(attribute(backend, NAME("_local")));
  Held thread(attribute(local, NAME("thread")));
  PyObject* trail = attribute(thread, NAME("trail"));
  bool ours = trail != nullptr && Py_IS_TYPE(trail, py.trail);
  plain = ours && is(py.level(trail), kSteps);
  long level = plain ? kSteps : kNodes;
  bool fits = ours && is(py.level(trail), level) &&
      is(steps.wanted(trail), level) && is(steps.in_backward(trail), 0) &&
      is(steps.updating(trail), updating) && py.pending(trail) == Py_None &&
      py.watches(trail) == Py_None && py.names_stop(trail) == Py_False &&
      steps.aside(trail) == Py_None && steps.interrupted(trail) == Py_False &&
      steps.standing(trail) == Py_False && steps.on(trail) == (plain ? Py_False : Py_True) &&
      py.at(trail) != nullptr &&
      py.watcher(trail) != nullptr && c10::impl::TorchDispatchModeTLS::stack_len() == 0 &&
      !c10::impl::tls_local_dispatch_key_set().included_.has(
          c10::DispatchKey::FuncTorchDynamicLayerFrontMode);
  if (fits) return trail;
  Py_XDECREF(trail);
  return nullptr;
}

// How many function modes are on; -1 with an error. `place` is where this one is, -1 for nowhere.
long modes_on(PyObject* mode, long& place) {
  Held count(PyObject_CallNoArgs(steps.length));
  long total = count ? PyLong_AsLong(count) : -1;
  place = -1;
  for (long i = 0; i < total; i++) {
    Held index(PyLong_FromLong(i));
    Held found(PyObject_CallOneArg(steps.get, index));
    if (!found) return -1;
    if (found == mode) place = i;
  }
  return total;
}

bool put_on(PyObject* mode) {
  Held done(PyObject_CallOneArg(steps.push, mode));
  return done != nullptr;
}

// The Nodes that a pass is going to run, if their signature is as known; else nullptr.
std::unique_ptr<std::vector<NodePtr>> walk_as_known(const at::Tensor& output, uint64_t base, PyObject* known) {
  auto nodes = std::make_unique<std::vector<NodePtr>>();
  auto count = static_cast<size_t>(PyTuple_GET_SIZE(known));
  NodePtr root = output.grad_fn();
  if (!root) return nullptr;
  nodes->reserve(count);
  std::unordered_set<Node*> seen;
  seen.reserve(count);
  seen.insert(root.get());
  nodes->push_back(std::move(root));
  for (size_t i = 0; i < nodes->size(); i++) {
    if (i >= count) return nullptr;
    uint64_t seq = (*nodes)[i]->sequence_nr();
    int64_t number = seq >= kLeaf ? -2 : seq >= base ? static_cast<int64_t>(seq - base) : -1;
    if (PyLong_AsLongLong(PyTuple_GET_ITEM(known, static_cast<Py_ssize_t>(i))) != number) return nullptr;
    size_t edges = (*nodes)[i]->num_outputs();
    for (size_t e = 0; e < edges; e++) {
      const auto& following = (*nodes)[i]->next_edge(e).function;
      if (following && seen.insert(following.get()).second) nodes->push_back(following);
    }
  }
  if (nodes->size() != count) return nullptr;
  return nodes;
}

// Whether a call of the engine is what `backward()` makes, for gradients that aren't differentiated.
bool plain_call(PyObject* outputs, PyObject* args, PyObject* kwargs) {
  if (!PyTuple_CheckExact(outputs) || PyTuple_GET_SIZE(outputs) != 1 || !PyTuple_CheckExact(args) ||
      PyTuple_GET_SIZE(args) != 4 || !PyDict_CheckExact(kwargs))
    return false;
  PyObject* inputs = PyTuple_GET_ITEM(args, 3);
  return PyTuple_GET_ITEM(args, 2) == Py_False && PyTuple_CheckExact(inputs) &&
      PyTuple_GET_SIZE(inputs) == 0 && PyDict_GetItemString(kwargs, "accumulate_grad") == Py_True;
}

// The number that a plain tensor holds, where it is finite; else NaN.
double plain_number(const at::Tensor& tensor) {
  const void* data = tensor.unsafeGetTensorImpl()->has_symbolic_sizes_strides() || tensor.numel() != 1
      ? nullptr : numbers(tensor, 1);
  double number = std::numeric_limits<double>::quiet_NaN();
  if (data != nullptr && tensor.scalar_type() == at::kFloat) number = *static_cast<const float*>(data);
  if (data != nullptr && tensor.scalar_type() == at::kDouble) number = *static_cast<const double*>(data);
  return std::isfinite(number) ? number : std::numeric_limits<double>::quiet_NaN();
}

// Whether the watch has seen nothing in this step, and has nothing to look at when backward is called.
bool calm(PyObject* trail) {
  PyObject* watch = py.watcher(trail);
  PyObject* suspects = steps.suspects(watch);
  if (py.on(watch) == Py_False) return true;
  if (py.on(watch) != Py_True || py.following(watch) != Py_False || steps.open(watch) != Py_False ||
      steps.spoilt_loss(watch) != Py_False || steps.at_zero(watch) != Py_False ||
      suspects == nullptr || !PyList_CheckExact(suspects) || PyList_GET_SIZE(suspects) != 0)
    return false;
  Held broadcasts(attribute(trail, NAME("broadcasts")));
  Held pairs(attribute(broadcasts, NAME("_suspects")));
  return pairs && PyList_CheckExact(pairs) && PyList_GET_SIZE(pairs) == 0;
}

// Whether the program has an optimizer.
bool optimizes(PyObject* backend) {
  Held optimizers(attribute(backend, NAME("optimizers")));
  Held data(attribute(optimizers, NAME("data")));
  return data && PyAnySet_Check(data) && PySet_GET_SIZE(data.object) > 0;
}

// Whether a debugger may want to stop in the pass.
bool debugged() {
  return PyDict_GetItemString(PyImport_GetModuleDict(), "debugpy") != nullptr;
}

// A pass of which nothing is told but the number that it is called on.
PyObject* plain_pass(PyObject* trail, double number) {
  Held loss(PyFloat_FromDouble(number));
  Graph* run = loss ? graph_of(std::make_unique<std::vector<NodePtr>>()) : nullptr;
  if (run == nullptr) return nullptr;
  run->trail = Py_NewRef(trail);
  steps.loss.set(trail, Py_NewRef(loss));
  steps.in_backward.set(trail, PyLong_FromLong(1));
  return reinterpret_cast<PyObject*>(run);
}

PyObject* expected_pass(PyObject* backend, PyObject* outputs, PyObject* args, PyObject* kwargs) {
  if (debugged() || !plain_call(outputs, args, kwargs) || !optimizes(backend)) return nullptr;
  PyObject* output = PyTuple_GET_ITEM(outputs, 0);
  bool plain = false;
  Held trail(usual(backend, 0, plain));
  if (!trail || !THPVariable_CheckExact(output)) return nullptr;
  if (plain) {
    double number = plain_number(THPVariable_Unpack(output));
    return std::isnan(number) ? nullptr : plain_pass(trail, number);
  }
  if (!calm(trail)) return nullptr;
  PyObject* next = py.next(py.at(trail));
  if (next == nullptr || !Py_IS_TYPE(next, steps.pass)) return nullptr;
  PyObject* known = steps.plain(next);
  double number = plain_number(THPVariable_Unpack(output));
  if (known == nullptr || !PyTuple_CheckExact(known) || std::isnan(number) || number == 0) return nullptr;
  uint64_t base = PyLong_AsUnsignedLongLong(py.base(trail));
  auto nodes = walk_as_known(THPVariable_Unpack(output), base, known);
  Held mode(attribute(trail, NAME("mode")));
  long place = -1;
  if (!nodes || !mode || modes_on(mode, place) < 0) return nullptr;
  Held loss(PyFloat_FromDouble(number)), one(PyLong_FromLong(1));
  Graph* run = loss && one ? graph_of(std::move(nodes)) : nullptr;
  if (run == nullptr) return nullptr;
  if (place < 0 && !put_on(mode)) {
    Py_DECREF(run);
    return nullptr;
  }
  run->put_on = place < 0;
  run->trail = Py_NewRef(trail), run->event = Py_NewRef(next);
  steps.loss.set(trail, Py_NewRef(loss));
  steps.in_backward.set(trail, Py_NewRef(one));
  py.at.set(trail, Py_NewRef(next));
  return reinterpret_cast<PyObject*>(run);
}

// begin_pass(backend, outputs, args, kwargs): as backward.begin.
PyObject* begin_pass(PyObject*, PyObject* const* given, Py_ssize_t count) {
  PyObject* run = count == 4 ? expected_pass(given[0], given[1], given[2], given[3]) : nullptr;
  if (run != nullptr) return run;
  PyErr_Clear();
  return PyObject_Vectorcall(steps.begin_pass, given, count, nullptr);
}

// Adds to a number that is an attribute.
void add(PyObject* object, PyObject* name, long more) {
  Held before(attribute(object, name));
  Held after(before ? PyLong_FromLong(PyLong_AsLong(before) + more) : nullptr);
  if (after) PyObject_SetAttr(object, name, after);
}

// end_pass(run, result, failed=False): as backward.end.
PyObject* end_pass(PyObject*, PyObject* const* given, Py_ssize_t count) {
  if (count < 2 || !Py_IS_TYPE(given[0], graph_type))
    return PyObject_Vectorcall(steps.end_pass, given, count, nullptr);
  auto* run = reinterpret_cast<Graph*>(given[0]);
  PyObject *trail = run->trail, *watch = py.watcher(trail);
  bool failed = count > 2 && given[2] == Py_True;
  long within = PyLong_AsLong(steps.in_backward(trail)) - 1;
  steps.in_backward.set(trail, PyLong_FromLong(within > 0 ? within : 0));
  if (run->put_on) {
    Held mode(attribute(trail, NAME("mode")));
    PyObject* arguments[] = {mode};
    Held done(mode ? quietly(steps.take_out, arguments, 1, nullptr) : nullptr);
  }
  if (run->event != nullptr) steps.last_pass.set(watch, Py_NewRef(run->event));
  if (!failed && within <= 0) {
    Held backend(attribute(trail, NAME("backend")));
    add(backend, NAME("backward_passes"), 1);
  }
  if (!failed && within <= 0 && run->event != nullptr) {
    Held learning(attribute(trail, NAME("learning")));
    add(learning, NAME("passes"), 1);
    steps.after_backward.set(trail, Py_NewRef(Py_True));
    PyObject* suspects = steps.suspects(watch);
    if (py.on(watch) == Py_True && PyList_Check(suspects) && PyList_GET_SIZE(suspects) > 0) {
      PyObject* arguments[] = {trail, given[0], given[1]};
      Held done(quietly(steps.look, arguments, 3, nullptr));
    }
  }
  if (PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return nullptr;
    PyErr_Clear();
  }
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
  if (PyErr_Occurred() != nullptr && !PyErr_ExceptionMatches(PyExc_Exception)) {
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
