// Sorted rows, and top_k of so many ranks that it sorts.
#include <rocmforge/sort.hpp>

#include <cmath>
#include <limits>

#include "reference/sampling.hpp"
#include "reference/sort.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

/// What the rows of a case are like.
enum class rows_of_case { random, tied, not_a_number };

/// Many equal values, infinities and NaN.
template <class T>
std::vector<T> tied_values(std::size_t count, unsigned seed) {
  auto values = random_values<T>(count, seed, -40, 40);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = T(std::round(static_cast<float>(values[i])) / 4);
    if (i % 11 == 7) values[i] = T(std::numeric_limits<float>::quiet_NaN());
    if (i % 23 == 5)
      values[i] = T((i % 2 == 0 ? 1.0f : -1.0f) * std::numeric_limits<float>::infinity());
  }
  return values;
}

std::span<std::byte> all_of(rocmforge::device_buffer<std::byte>& workspace) {
  return {workspace.data(), workspace.size()};
}

using workspace_buffer = rocmforge::device_buffer<std::byte>;

/// The reference over the rows of the case, one after the other.
template <class T, class OfRow>
std::vector<double> of_rows(const std::vector<T>& x, int rows, const OfRow& of_row) {
  const auto size = std::ptrdiff_t(x.size()) / rows;
  std::vector<double> all;
  for (int row = 0; row < rows; ++row) {
    const auto begin = x.begin() + size * row;
    const std::vector<double> one = of_row(to_double(std::vector<T>(begin, begin + size)));
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

template <class T>
std::vector<T> make_values(rows_of_case kind, std::size_t count, unsigned seed) {
  if (kind == rows_of_case::random) return random_values<T>(count, seed, -40, 40);
  auto values = tied_values<T>(count, seed);
  if (kind == rows_of_case::tied) {
    for (T& value : values) {
      if (std::isnan(static_cast<float>(value))) value = T(3.0f);
    }
  }
  return values;
}

template <class T>
void add_sort(case_list& list, rows_of_case kind, int rows, int size, bool descending,
              const layout& how) {
  const auto prepare = [=](const placement& at) {
    const auto make = [=](unsigned seed) {
      return make_values<T>(kind, std::size_t(rows * size), seed);
    };
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto x = make_tensor<T>({all, size}, placed(at, 1, make), how);
    const auto indices =
        expecting(make_tensor<int>({all, size}, for_output(how)), "indices", begin, end, {}, [=] {
          return of_rows(make(1), rows, [&](const std::vector<double>& row) {
            const auto order = reference::sorted_indices(row, descending);
            return std::vector<double>(order.begin(), order.end());
          });
        });
    const auto values =
        expecting(make_tensor<T>({all, size}, for_output(how)), "values", begin, end, {}, [=] {
          return of_rows(make(1), rows, [&](const std::vector<double>& row) {
            std::vector<double> sorted;
            for (const int i : reference::sorted_indices(row, descending))
              sorted.push_back(row[std::size_t(i)]);
            return sorted;
          });
        });
    const auto workspace =
        std::make_shared<workspace_buffer>(rocmforge::sort_rows_workspace_bytes(all, size));
    return trial{
        [=] {
          return refusal(rocmforge::sort_rows(values->view(), indices->view(), x->view(),
                                              all_of(*workspace), {.descending = descending}));
        },
        {indices, values}};
  };
  const char* const names[] = {"", ", equal ones", ", NaN"};
  list.tests.push_back({"sort_rows", type_name<T>,
                        shape_text({{"rows", rows}, {"row_size", size}, {"gap", how.gap}}) +
                            (descending ? ", descending" : "") + names[static_cast<int>(kind)],
                        true, prepare});
}

/// With NaN among the logits.
template <class T>
void add_top_k(case_list& list, int rows, int size, int k, const layout& how) {
  const auto prepare = [=](const placement& at) {
    const auto make = [=](unsigned seed) { return tied_values<T>(std::size_t(rows * size), seed); };
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto x = make_tensor<T>({all, size}, placed(at, 1, make), how);
    const auto ids = [=](const std::vector<double>& row) {
      auto ranked = reference::ranked(row);
      ranked.resize(std::size_t(k), -1);
      return ranked;
    };
    const auto tokens =
        expecting(make_tensor<int>({all, k}, for_output(how)), "tokens", begin, end, {}, [=] {
          return of_rows(make(1), rows, [&](const std::vector<double>& row) {
            const auto ranked = ids(row);
            return std::vector<double>(ranked.begin(), ranked.end());
          });
        });
    const auto values =
        expecting(make_tensor<float>({all, k}, for_output(how)), "values", begin, end, {}, [=] {
          return of_rows(make(1), rows, [&](const std::vector<double>& row) {
            std::vector<double> found;
            for (const int id : ids(row))
              found.push_back(id < 0 ? -std::numeric_limits<double>::infinity()
                                     : row[std::size_t(id)]);
            return found;
          });
        });
    const auto workspace =
        std::make_shared<workspace_buffer>(rocmforge::top_k_workspace_bytes(all, size, k));
    return trial{[=] {
                   return refusal(rocmforge::top_k(values->view(), tokens->view(), x->view(),
                                                   all_of(*workspace)));
                 },
                 {tokens, values}};
  };
  list.tests.push_back(
      {"top_k by sorting", type_name<T>,
       shape_text({{"rows", rows}, {"vocab_size", size}, {"k", k}, {"gap", how.gap}}), true,
       prepare});
}

const registration sort("sort", [](const settings& s, case_list& list) {
  const std::vector<int> sizes =
      s.quick
          ? std::vector<int>{1, 33, 1025}
          : std::vector<int>{1, 2, 31, 33, 64, 65, 255, 257, 1023, 1025, 2561, 4097, 49152, 128256};
  // More than the host sorts at a time.
  add_sort<float>(list, rows_of_case::random, 3, 30000, true, {});
  add_top_k<float>(list, 3, 30000, 2500, {});
  for_each_dtype([&]<class T>(T) {
    int i = 0;
    for (const int size : sizes) {
      add_sort<T>(list, rows_of_case::random, 2, size, i % 2 == 0, {i % 3, i % 2 * 3});
      add_sort<T>(list, rows_of_case::tied, 3, size, i % 2 == 1, {});
      ++i;
    }
    add_sort<T>(list, rows_of_case::not_a_number, 3, 300, false, {1, 5});
    add_sort<T>(list, rows_of_case::not_a_number, 3, 300, true, {});
    add_top_k<T>(list, 2, 3000, 2900, {1, 3});  // with the NaN at the end
    if (!s.quick) add_top_k<T>(list, 1, 128256, 128256, {});

    const int size = 128256, rows = timing_rows<T>(s, size);
    const auto count = std::size_t(rows) * std::size_t(size);
    list.speeds.push_back(
        {"sort_rows", type_name<T>, shape_text({{"rows", rows}, {"row_size", size}}),
         double(count) * (2 * sizeof(T) + sizeof(int)), 0, [=] {
           const auto x = timing_data<T>(count), values = timing_data<T>(count);
           const auto indices = timing_data<int>(count);
           const auto workspace =
               std::make_shared<workspace_buffer>(rocmforge::sort_rows_workspace_bytes(rows, size));
           return [=] {
             return refusal(rocmforge::sort_rows(values->view(rows, size),
                                                 indices->view(rows, size), x->view(rows, size),
                                                 all_of(*workspace)));
           };
         }});
  });
});

}  // namespace
}  // namespace verify
