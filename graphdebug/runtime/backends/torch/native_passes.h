// Backward passes that are as they were before, of native.cpp, which includes this: their graph is compared
// with what is known, and where nothing of it is new, Python hears nothing. Everything else goes the way of
// backward.py, whose meaning this has to keep.

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
    if (!raised_is_ours()) return nullptr;
    PyErr_Clear();
  }
  Py_RETURN_NONE;
}
