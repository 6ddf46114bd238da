// One wave executes a matrix instruction on the platform's device: the GPU of an AMD or NVIDIA
// build, the host itself in a host build.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "rocmforge/platform/mma.hpp"

#if defined(ROCMFORGE_PLATFORM_AMD)
#include <hip/hip_runtime.h>
#define MATRIX_TEST_RUNTIME(name) hip##name
#elif defined(ROCMFORGE_PLATFORM_NVIDIA)
#include <cuda_runtime.h>
#define MATRIX_TEST_RUNTIME(name) cuda##name
#endif

namespace rocmforge::test {

/// A matrix by rows.
template <class T>
struct tile_ref {
  T* data;
  int cols;
  ROCMFORGE_HOST_DEVICE T& operator()(int row, int col) const { return data[row * cols + col]; }
  ROCMFORGE_HOST_DEVICE void operator()(int row, int col, T value) const {
    (*this)(row, col) = value;
  }
};

/// C += A B for `steps` tiles along k, one lane's part. A is m x (k steps), B is (k steps) x n, C
/// is m x n.
template <class Instruction>
struct multiply_tiles {
  const typename Instruction::a_element* a;
  const typename Instruction::b_element* b;
  typename Instruction::c_element* c;
  int steps;

  ROCMFORGE_DEVICE void operator()(int lane) const {
    const tile_ref<typename Instruction::c_element> sums{c, Instruction::n};
    auto held = mma::load_c<Instruction>(lane, sums);
    for (int step = 0; step < steps; ++step) {
      const tile_ref<const typename Instruction::a_element> left{a + step * Instruction::k,
                                                                 Instruction::k * steps};
      const tile_ref<const typename Instruction::b_element> right{
          b + step * Instruction::k * Instruction::n, Instruction::n};
      Instruction::multiply(held, mma::load_a<Instruction>(lane, left),
                            mma::load_b<Instruction>(lane, right));
    }
    mma::store_c<Instruction>(lane, held, sums);
  }
};

/// What the code that runs on the device says about the instruction.
template <class Instruction>
struct ask_available {
  int* answer;
  ROCMFORGE_DEVICE void operator()(int lane) const {
    if (lane == 0) *answer = Instruction::available ? 1 : 0;
  }
};

#if defined(ROCMFORGE_PLATFORM_HOST)

/// "" if there is no device.
inline std::string device_architecture() {
  return "host";
}

template <class T>
class device_copy {
 public:
  explicit device_copy(std::vector<T> values) : values_(std::move(values)) {}
  T* data() { return values_.data(); }
  std::vector<T> read() const { return values_; }

 private:
  std::vector<T> values_;
};

/// The instructions of the host exchange nothing between lanes, so the lanes may take their turns.
template <class Work>
void run_wave(int lanes, const Work& work) {
  for (int lane = 0; lane < lanes; ++lane) work(lane);
}

#else

#if defined(ROCMFORGE_PLATFORM_AMD)
using runtime_result = hipError_t;
#else
using runtime_result = cudaError_t;
#endif

inline void check(runtime_result result) {
  if (result != MATRIX_TEST_RUNTIME(Success)) {
    throw std::runtime_error(MATRIX_TEST_RUNTIME(GetErrorString)(result));
  }
}

inline std::string device_architecture() {
  int num_devices = 0;
  if (MATRIX_TEST_RUNTIME(GetDeviceCount)(&num_devices) != MATRIX_TEST_RUNTIME(Success) ||
      num_devices == 0) {
    return "";
  }
#if defined(ROCMFORGE_PLATFORM_AMD)
  hipDeviceProp_t properties{};
  check(hipGetDeviceProperties(&properties, 0));
  const std::string name = properties.gcnArchName;  // with features: "gfx942:sramecc+:xnack-"
  return name.substr(0, name.find(':'));
#else
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0));
  return "sm_" + std::to_string(properties.major * 10 + properties.minor);
#endif
}

template <class T>
class device_copy {
 public:
  explicit device_copy(const std::vector<T>& values) : size_(values.size()) {
    check(MATRIX_TEST_RUNTIME(Malloc)(reinterpret_cast<void**>(&data_), bytes()));
    check(MATRIX_TEST_RUNTIME(Memcpy)(data_, values.data(), bytes(),
                                      MATRIX_TEST_RUNTIME(MemcpyHostToDevice)));
  }
  device_copy(const device_copy&) = delete;
  device_copy& operator=(const device_copy&) = delete;
  ~device_copy() { static_cast<void>(MATRIX_TEST_RUNTIME(Free)(data_)); }

  T* data() { return data_; }
  std::vector<T> read() const {
    std::vector<T> values(size_);
    check(MATRIX_TEST_RUNTIME(Memcpy)(values.data(), data_, bytes(),
                                      MATRIX_TEST_RUNTIME(MemcpyDeviceToHost)));
    return values;
  }

 private:
  std::size_t bytes() const { return size_ * sizeof(T); }
  std::size_t size_;
  T* data_ = nullptr;
};

template <class Work>
__global__ void run_lanes(Work work) {
  work(static_cast<int>(threadIdx.x));
}

/// Runs `work(lane)` in every lane of one wave and waits for it. Throws if the device reports an
/// error.
template <class Work>
void run_wave(int lanes, const Work& work) {
  run_lanes<<<1, lanes>>>(work);
  check(MATRIX_TEST_RUNTIME(GetLastError)());
  check(MATRIX_TEST_RUNTIME(DeviceSynchronize)());
}

#endif

}  // namespace rocmforge::test
