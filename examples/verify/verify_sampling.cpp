// argmax, top-k, the filters, penalties, log-probabilities and the draw.
#include <rocmforge/sampling.hpp>

#include <cmath>
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

/// The reference over the rows of the case, one after the other.
template <class T, class OfRow>
std::vector<double> of_rows(const std::vector<T>& logits, int rows, const OfRow& of_row) {
  const std::size_t size = logits.size() / std::size_t(rows);
  std::vector<double> all;
  for (int row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + std::ptrdiff_t(size) * row;
    const auto one = of_row(to_double(std::vector<T>(begin, begin + std::ptrdiff_t(size))), row);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

/// Many equal logits, the larger ones less often; some NaN.
template <class T>
std::vector<T> tied_logits(std::size_t count, unsigned seed) {
  auto values = random_values<T>(count, seed, -8, 2);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = i % 11 == 7 ? T(std::numeric_limits<float>::quiet_NaN())
                            : T(std::round(static_cast<float>(values[i])));
  }
  return values;
}

/// Makes the logits of all copies; those at the case's own slot are `make(1)`.
template <class T, class Make>
tensor<T, 2> rows_of(const placement& at, int rows, int size, const layout& how, const Make& make) {
  return make_tensor<T>({at.copies * rows, size}, placed(at, 1, make), how);
}

template <class T>
void add_top_k(case_list& list, int rows, int size, int k, const layout& how) {
  const auto prepare = [=](const placement& at) {
    const auto make = [=](unsigned seed) { return tied_logits<T>(std::size_t(rows * size), seed); };
    const auto x = rows_of<T>(at, rows, size, how, make);
    const auto ids = [=](const std::vector<double>& row) {
      auto ranked = reference::ranked(row);
      ranked.resize(std::size_t(k), -1);
      return ranked;
    };
    const auto tokens = expecting(
        make_tensor<int>({at.copies * rows, k}, for_output(how)), "tokens", at.slot * rows,
        (at.slot + 1) * rows, {},
        [=] { return of_rows(make(1), rows, [&](const auto& row, int) { return ids(row); }); });
    const auto values =
        expecting(make_tensor<float>({at.copies * rows, k}, for_output(how)), "values",
                  at.slot * rows, (at.slot + 1) * rows, {}, [=] {
                    return of_rows(make(1), rows, [&](const std::vector<double>& row, int) {
                      std::vector<double> found;
                      for (const int id : ids(row))
                        found.push_back(id < 0 ? -std::numeric_limits<double>::infinity()
                                               : row[std::size_t(id)]);
                      return found;
                    });
                  });
    return trial{
        [=] { return refusal(rocmforge::top_k(values->view(), tokens->view(), x->view())); },
        {tokens, values}};
  };
  list.tests.push_back(
      {"top_k", type_name<T>,
       shape_text({{"rows", rows}, {"vocab_size", size}, {"k", k}, {"gap", how.gap}}), true,
       prepare});
}

rocmforge::draw_counter counter_of(int row) {
  return {0x9876543210u + unsigned(row), unsigned(3 * row), unsigned(100 - row)};
}

/// `sample` and `filter_logits` with the same options.
template <class T>
void add_draw(case_list& list, int rows, int size, const rocmforge::sampling_options& options,
              const layout& how) {
  const reference::filters filters{options.top_k, options.top_p, options.min_p};
  const std::string shape =
      shape_text({{"rows", rows}, {"vocab_size", size}, {"top_k", options.top_k}}) +
      (options.top_p < 1 ? ", top_p" : "") + (options.min_p > 0 ? ", min_p" : "");
  const auto make = [=](unsigned seed) {
    auto values = tied_logits<T>(std::size_t(rows * size), seed);
    for (int row = 0; row < rows; ++row) values[std::size_t(row * size)] = T(0.5f);
    return values;
  };
  list.tests.push_back(
      {"sample", type_name<T>, shape, true, [=](const placement& at) {
         const auto x = rows_of<T>(at, rows, size, how, make);
         std::vector<rocmforge::draw_counter> all;
         for (int copy = 0; copy < at.copies; ++copy) {
           for (int row = 0; row < rows; ++row)
             all.push_back(counter_of(copy == at.slot ? row : row + 50 * (copy + 1)));
         }
         const auto counters = make_tensor<rocmforge::draw_counter>({at.copies * rows}, all);
         const auto tokens = expecting(
             make_tensor<int>({at.copies * rows}), "tokens", at.slot * rows, (at.slot + 1) * rows,
             {}, [=] {
               return of_rows(make(1), rows, [&](const std::vector<double>& row, int number) {
                 const auto counter = counter_of(number);
                 const auto p = reference::distribution(row, reference::candidates(row, filters),
                                                        options.temperature);
                 return std::vector<double>{double(reference::draw(
                     p, reference::uniform(counter.seed, counter.sequence, counter.position)))};
               });
             });
         return trial{[=] {
                        return refusal(rocmforge::sample(tokens->view(), x->view(),
                                                         counters->view(), options));
                      },
                      {tokens}};
       }});
  list.tests.push_back(
      {"filter_logits", type_name<T>, shape, true, [=](const placement& at) {
         const auto x = rows_of<T>(at, rows, size, how, make);
         const auto filtered = expecting(
             make_tensor<T>({at.copies * rows, size}, for_output(how)), "filtered", at.slot * rows,
             (at.slot + 1) * rows, {2 * rounding<T>, 0}, [=] {
               return of_rows(make(1), rows, [&](const std::vector<double>& row, int) {
                 std::vector<double> left(row.size(), -std::numeric_limits<double>::infinity());
                 for (const int id : reference::candidates(row, filters))
                   left[std::size_t(id)] = row[std::size_t(id)] / double(options.temperature);
                 return left;
               });
             });
         return trial{
             [=] {
               return refusal(rocmforge::filter_logits(filtered->view(), x->view(), options));
             },
             {filtered}};
       }});
}

/// Penalties, then biases, on the same logits; then the log-probabilities of the listed tokens.
template <class T>
void add_listed(case_list& list, int rows, int size, int num_tokens, const layout& how) {
  const auto shape =
      shape_text({{"rows", rows}, {"vocab_size", size}, {"tokens", num_tokens}, {"gap", how.gap}});
  const auto make = [=](unsigned seed) {
    return random_values<T>(std::size_t(rows * size), seed, -9, 9);
  };
  const auto listed = [=](unsigned seed) {  // some of them more than once, some no tokens
    auto tokens = random_values<float>(std::size_t(rows * num_tokens), seed, -2, size + 2);
    return std::vector<int>(tokens.begin(), tokens.end());
  };
  const auto of_row = [=](const std::vector<int>& all, int row) {
    const auto begin = all.begin() + row * num_tokens;
    return std::vector<int>(begin, begin + num_tokens);
  };
  list.tests.push_back(
      {"apply_penalties", type_name<T>, shape, true, [=](const placement& at) {
         const auto history = make_tensor<int>({at.copies * rows, num_tokens},
                                               placed(at, 2, listed), for_output(how));
         const auto logits =
             expecting(rows_of<T>(at, rows, size, how, make), "logits", at.slot * rows,
                       (at.slot + 1) * rows, {rounding<T>, 1e-3}, [=] {
                         return of_rows(make(1), rows, [&](std::vector<double> row, int number) {
                           reference::penalize(row, of_row(listed(2), number), 1.5, 0.25, 0.5);
                           return row;
                         });
                       });
         return trial{[=] {
                        return refusal(rocmforge::apply_penalties(
                            logits->view(), history->view(),
                            {.repeat = 1.5f, .frequency = 0.25f, .presence = 0.5f}));
                      },
                      {logits}};
       }});
  list.tests.push_back(
      {"add_logit_bias", type_name<T>, shape, true, [=](const placement& at) {
         const auto biases = [=](unsigned seed) {  // of few bits: sums are exact in any order
           auto values = random_values<float>(std::size_t(rows * num_tokens), seed, -8, 8);
           for (float& value : values) value = std::round(value);
           return values;
         };
         const auto tokens = make_tensor<int>({at.copies * rows, num_tokens}, placed(at, 2, listed),
                                              for_output(how));
         const auto added =
             make_tensor<float>({at.copies * rows, num_tokens}, placed(at, 3, biases), how);
         const auto logits =
             expecting(rows_of<T>(at, rows, size, how, make), "logits", at.slot * rows,
                       (at.slot + 1) * rows, {2 * rounding<T>, 0.1}, [=] {
                         return of_rows(make(1), rows, [&](std::vector<double> row, int number) {
                           const auto ids = of_row(listed(2), number);
                           const auto values = biases(3);
                           for (std::size_t i = 0; i < ids.size(); ++i) {
                             if (ids[i] >= 0 && ids[i] < size)
                               row[std::size_t(ids[i])] +=
                                   double(values[std::size_t(number * num_tokens) + i]);
                           }
                           return row;
                         });
                       });
         return trial{[=] {
                        return refusal(rocmforge::add_logit_bias(logits->view(), tokens->view(),
                                                                 added->view()));
                      },
                      {logits}};
       }});
  list.tests.push_back(
      {"log_probabilities", type_name<T>, shape, true, [=](const placement& at) {
         const auto x = rows_of<T>(at, rows, size, how, make);
         const auto tokens = make_tensor<int>({at.copies * rows, num_tokens}, placed(at, 2, listed),
                                              for_output(how));
         const auto log_p = expecting(
             make_tensor<float>({at.copies * rows, num_tokens}, for_output(how)), "log_p",
             at.slot * rows, (at.slot + 1) * rows, {1e-6, 0.1}, [=] {
               return of_rows(make(1), rows, [&](const std::vector<double>& row, int number) {
                 std::vector<double> result;
                 for (const int token : of_row(listed(2), number))
                   result.push_back(reference::log_probability(row, token));
                 return result;
               });
             });
         return trial{[=] {
                        return refusal(
                            rocmforge::log_probabilities(log_p->view(), x->view(), tokens->view()));
                      },
                      {log_p}};
       }});
}

const registration sampling("sampling", [](const settings& s, case_list& list) {
  // What differs from type to type is how a row is read and written, which the others show.
  add_top_k<float>(list, 2, 70, 64, {1, 5});
  add_top_k<float>(list, 1, 65, 80, {});  // more than there are
  add_top_k<float>(list, 2, 1500, 40, {2, 0});
  add_top_k<float>(list, 1, 4500, 2500, {});  // more than a block sorts
  add_listed<float>(list, 2, 50, 64, {1, 3});
  add_listed<float>(list, 1, 1025, 300, {});
  // Packets, waves, a block of 1024 lanes and their neighbors.
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
    const rocmforge::sampling_options everything{
        .top_k = 40, .top_p = 0.99f, .min_p = 0.05f, .temperature = 0.8f};
    for (const int size : {33, 1025}) {
      add_draw<T>(list, 3, size, everything, {2, 1});
      if (!std::is_same_v<T, float>) continue;  // each by itself, in one type
      add_draw<T>(list, 3, size, {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 2}, {});
      add_draw<T>(list, 3, size, {.top_k = 7, .top_p = 1, .min_p = 0, .temperature = 2}, {1, 3});
      add_draw<T>(list, 3, size, {.top_k = 0, .top_p = 0.7f, .min_p = 0, .temperature = 2}, {});
      add_draw<T>(list, 3, size, {.top_k = 20, .top_p = 0.5f, .min_p = 0, .temperature = 2}, {});
      add_draw<T>(list, 3, size, {.top_k = 0, .top_p = 1, .min_p = 0.2f, .temperature = 3}, {});
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
    list.speeds.push_back(
        {"sample", type_name<T>, shape_text({{"rows", rows}, {"vocab_size", size}}),
         double(count) * sizeof(T), 0, [=] {
           const auto x = timing_data<T>(count);
           const auto tokens = timing_data<int>(std::size_t(rows));
           const auto counters =
               std::make_shared<rocmforge::device_buffer<rocmforge::draw_counter>>(
                   std::vector<rocmforge::draw_counter>(std::size_t(rows)));
           return [=] {
             return refusal(
                 rocmforge::sample(tokens->view(rows), x->view(rows, size), counters->view(rows)));
           };
         }});
  });
});

}  // namespace
}  // namespace verify
