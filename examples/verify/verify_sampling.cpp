// argmax.
#include <rocmforge/sampling.hpp>

#include <limits>

#include "reference/sampling.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

/// What the rows of a case are like.
enum class logits { negative, equal, not_a_number, masked };

template <class T>
std::vector<T> make_row(logits kind, int size, unsigned seed) {
  auto row = random_values<T>(std::size_t(size), seed, -20, -1);  // a 0 would win
  const auto at = [&](int i) -> T& { return row[std::size_t(i)]; };
  if (kind == logits::equal) {  // the largest twice or more, the last of them at the end
    at(size - 1) = at(size / 2) = at(size / 2 + size / 4) = T(-0.5f);
    if (size > 2) at(size - 2) = T(-0.5f);
  } else if (kind == logits::not_a_number) {
    for (int i = 0; i < size; ++i) {
      if (i % 3 != 1) at(i) = T(std::numeric_limits<float>::quiet_NaN());
    }
  } else if (kind == logits::masked) {
    for (int i = 0; i < size; ++i) at(i) = T(-std::numeric_limits<float>::infinity());
    at(0) = T(std::numeric_limits<float>::quiet_NaN());
  }
  return row;
}

template <class T>
void add_argmax(case_list& list, logits kind, int rows, int size, const layout& how) {
  const auto prepare = [=](const placement& at) {
    const auto values = [=](unsigned seed) {
      std::vector<T> all;
      for (int row = 0; row < rows; ++row) {
        const auto one = make_row<T>(kind, size, seed + unsigned(row));
        all.insert(all.end(), one.begin(), one.end());
      }
      return all;
    };
    const auto x = make_tensor<T>({at.copies * rows, size}, placed(at, 1, values), how);
    const auto tokens = expecting(make_tensor<int>({at.copies * rows}), "tokens", at.slot * rows,
                                  (at.slot + 1) * rows, {}, [=] {
                                    std::vector<double> expected;
                                    for (int row = 0; row < rows; ++row)
                                      expected.push_back(reference::argmax(
                                          to_double(make_row<T>(kind, size, 1 + unsigned(row)))));
                                    return expected;
                                  });
    return trial{[=] { return refusal(rocmforge::argmax(tokens->view(), x->view())); }, {tokens}};
  };
  const char* const names[] = {"", ", equal ones", ", NaN", ", masked"};
  list.tests.push_back({"argmax", type_name<T>,
                        shape_text({{"rows", rows}, {"vocab_size", size}, {"gap", how.gap}}) +
                            names[static_cast<int>(kind)],
                        true, prepare});
}

const registration sampling("sampling", [](const settings& s, case_list& list) {
  // Packets, waves, a block of 1024 lanes and their neighbours.
  const std::vector<int> sizes =
      s.quick ? std::vector<int>{1, 33, 1025, 8193}
              : std::vector<int>{1,    2,    31,   32,   33,   63,   64,   65,    127,
                                 1023, 1024, 1025, 4095, 4096, 4097, 8193, 49152, 151936};
  for_each_dtype([&]<class T>(T) {
    int i = 0;
    for (const int size : sizes) {
      add_argmax<T>(list, logits::negative, 2, size, {i % 3, i % 2 * 3});
      add_argmax<T>(list, logits::equal, 1, size, {});
      ++i;
    }
    for (const int size : {40, 5000}) {
      add_argmax<T>(list, logits::not_a_number, 1, size, {});
      add_argmax<T>(list, logits::masked, 1, size, {});
    }
    const int size = 128256, rows = timing_rows<T>(s, size);
    const auto count = std::size_t(rows) * std::size_t(size);
    list.speeds.push_back(
        {"argmax", type_name<T>, shape_text({{"rows", rows}, {"vocab_size", size}}),
         double(count) * sizeof(T), 0, [=] {
           const auto x = timing_data<T>(count);
           const auto tokens = timing_data<int>(std::size_t(rows));
           return
               [=] { return refusal(rocmforge::argmax(tokens->view(rows), x->view(rows, size))); };
         }});
  });
});

}  // namespace
}  // namespace verify
