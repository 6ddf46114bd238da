// Softmax.
#include <rocmforge/softmax.hpp>

#include <limits>

#include "reference/softmax.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

/// What the logits of a case are like.
enum class logits {
  wide,   // -20 to 20
  far,    // -103 to -100: a tail that counted as 0 would win
  huge,   // up to 3e38, where only differences from the maximum are finite
  masked  // -infinity but for a few
};

template <class T>
std::vector<T> make_logits(logits kind, std::size_t count, unsigned seed) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (kind == logits::far) return random_values<T>(count, seed, -103, -100);
  auto values = random_values<T>(count, seed, -20, 20);
  if (kind == logits::huge) values[count / 2] = T(sizeof(T) == 2 ? 6e4f : 3e38f);
  if (kind == logits::masked) {
    for (std::size_t i = 0; i < count; ++i) {
      if (i % 7 != 3 || i < count / 2) values[i] = T(-infinity);
    }
  }
  return values;
}

template <class T>
void add_softmax(case_list& list, logits kind, int rows, int size, float scale, const layout& how,
                 bool in_place) {
  const auto prepare = [=](const placement& at) {
    const auto values = [=](unsigned seed) {
      return make_logits<T>(kind, std::size_t(rows * size), seed);
    };
    const int all = at.copies * rows;
    const auto x = make_tensor<T>({all, size}, placed(at, 1, values), how);
    // Below 2^-14 the steps of half do not shrink any further, and floats below 2^-126 may be 0.
    const auto expected = reference::softmax(to_double(values(1)), rows, size, double(scale));
    const double largest = std::max(1e-30, *std::max_element(expected.begin(), expected.end()));
    const double smallest = sizeof(T) == 2 && type_name<T> == "f16" ? 0x1p-14 : 1e-30;
    const auto y =
        expecting(in_place ? x : make_tensor<T>({all, size}, for_output(how)), "y", at.slot * rows,
                  (at.slot + 1) * rows, {rounding<T> + 6e-6, std::min(1.0, smallest / largest)},
                  [=] { return expected; });
    return trial{[=] { return refusal(rocmforge::softmax(y->view(), x->view(), scale)); }, {y}};
  };
  const char* const names[] = {"", ", far below 0", ", one huge", ", masked"};
  list.tests.push_back({"softmax", type_name<T>,
                        shape_text({{"rows", rows}, {"row_size", size}, {"gap", how.gap}}) +
                            names[static_cast<int>(kind)] + (in_place ? ", in place" : ""),
                        true, prepare});
}

const registration softmax("softmax", [](const settings& s, case_list& list) {
  const std::vector<int> sizes =
      s.quick ? std::vector<int>{1, 31, 65, 257, 2049, 8200}
              : std::vector<int>{1,   3,   31,   32,   33,   63,   64,   65,   255,
                                 256, 257, 1023, 1024, 1025, 2047, 2049, 5000, 49152};
  for_each_dtype([&]<class T>(T) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      add_softmax<T>(list, logits::wide, 2, sizes[i], i % 2 == 0 ? 1.0f : 0.125f,
                     {int(i % 3), int(i % 2) * 5}, i % 4 == 3);
    }
    for (const int size : {5, 33, 300}) {
      add_softmax<T>(list, logits::far, 1, size, 1, {}, false);
      add_softmax<T>(list, logits::huge, 2, size, 1, {}, false);
      add_softmax<T>(list, logits::masked, 3, size, 0.5f, {}, false);
    }
    const int size = 4096, rows = timing_rows<T>(s, size);
    const auto count = std::size_t(rows) * std::size_t(size);
    list.speeds.push_back(
        {"softmax", type_name<T>, shape_text({{"rows", rows}, {"row_size", size}}),
         2.0 * double(count) * sizeof(T), 0, [=] {
           const auto x = timing_data<T>(count), y = timing_data<T>(count);
           return [=] {
             return refusal(rocmforge::softmax(y->view(rows, size), x->view(rows, size)));
           };
         }});
  });
});

}  // namespace
}  // namespace verify
