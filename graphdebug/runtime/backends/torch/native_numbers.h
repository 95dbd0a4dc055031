// What tensors hold, of native.cpp, which includes this: whether all numbers are finite, as finite.py asks.

#pragma once

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
