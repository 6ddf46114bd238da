// Rows further apart than 32 bits count: the host reserves addresses without memory for them.
#include <rocmforge/activation.hpp>

#include "tensors.hpp"
#include "ulp.hpp"

#if defined(ROCMFORGE_PLATFORM_HOST) && defined(__linux__)
#include <sys/mman.h>
#define VERIFY_RESERVES_ADDRESSES 1
#endif

namespace verify {
namespace {

#if defined(VERIFY_RESERVES_ADDRESSES)

constexpr std::int64_t far = (std::int64_t{1} << 31) + 33;  // elements from row to row
constexpr int num_rows = 2, row_size = 100;

/// Addresses of `far` elements on both sides of the first row, so that an offset that wraps around
/// reads zeros and is no crash.
class address_range {
 public:
  address_range() {
    void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start != MAP_FAILED) start_ = static_cast<half*>(start);
  }
  address_range(const address_range&) = delete;
  address_range& operator=(const address_range&) = delete;
  ~address_range() {
    if (start_ != nullptr) munmap(start_, bytes);
  }
  [[nodiscard]] bool reserved() const { return start_ != nullptr; }
  [[nodiscard]] tensor_view<half, 2> rows(int offset) const {
    return {start_ + far + offset, {num_rows, row_size}, {far, 1}};
  }

 private:
  static constexpr std::size_t bytes = std::size_t{2 * far + 8192} * sizeof(half);
  half* start_ = nullptr;
};

class far_output final : public output {
 public:
  explicit far_output(const tensor_view<half, 2>& y) : y_(y) { format = number_format::f16; }
  void reset() override {
    for_each([](half& element) { element = half::from_bits(0xffff); });
  }
  reading read() const override {
    reading result;
    for_each([&](half& element) {
      result.values.push_back(as_double(element));
      result.bits.push_back(element.bits);
    });
    return result;
  }

 private:
  template <class F>
  void for_each(const F& f) const {
    for (std::int64_t i = 0; i < num_rows * row_size; ++i)
      f(y_.data[i / row_size * y_.stride[0] + i % row_size]);
  }
  tensor_view<half, 2> y_;
};

trial prepare(const placement&) {
  const auto range = std::make_shared<address_range>();
  const auto a = range->rows(0), b = range->rows(1024), y = range->rows(2048);
  const auto a_values = random_values<half>(num_rows * row_size, 1),
             b_values = random_values<half>(num_rows * row_size, 2);
  for (std::int64_t i = 0; i < num_rows * row_size; ++i) {
    a.data[i / row_size * far + i % row_size] = a_values[std::size_t(i)];
    b.data[i / row_size * far + i % row_size] = b_values[std::size_t(i)];
  }
  const auto out = std::make_shared<far_output>(y);
  out->name = std::string("y");  // g++ 12 warns of an overlap where "y" is assigned itself
  out->expected = [=] {
    std::vector<double> sums;
    for (std::size_t i = 0; i < a_values.size(); ++i)
      sums.push_back(nearest(number_format::f16, as_double(a_values[i]) + as_double(b_values[i])));
    return sums;
  };
  return {[=, keep = range] { return refusal(rocmforge::add(y, a, b)); }, {out}};
}

#endif

const registration address("address", [](const settings&, case_list& list) {
#if defined(VERIFY_RESERVES_ADDRESSES)
  if (address_range().reserved()) {
    list.tests.push_back(
        {"add", "f16", "rows 2, row_size 100, 2^31 + 33 elements apart", false, prepare});
    return;
  }
  list.skipped.push_back(
      "rows 2^31 elements apart: the system reserves no addresses without memory");
#else
  list.skipped.push_back("rows 2^31 elements apart, which would take 8 GiB of this device's memory");
#endif
});

}  // namespace
}  // namespace verify
