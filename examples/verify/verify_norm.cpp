// Norms, alone and with the residual addition.
#include <rocmforge/norm.hpp>

#include "reference/norm.hpp"
#include "tensors.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

template <class T, class TWeight = T>
void add_rms_norm(case_list& list, int rows, int hidden, float epsilon, double magnitude,
                  const layout& how, bool in_place) {
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(rows * hidden);
    const auto values = [=](unsigned seed) {
      return random_values<T>(count, seed, -3 * magnitude, 5 * magnitude);
    };
    const auto weights = random_values<TWeight>(std::size_t(hidden), 2);
    const auto x = make_tensor<T>({at.copies * rows, hidden}, placed(at, 1, values), how);
    const auto weight = make_tensor<TWeight>({hidden}, weights, {.offset = how.offset});
    const auto y =
        expecting(in_place ? x : make_tensor<T>({at.copies * rows, hidden}, for_output(how)), "y",
                  at.slot * rows, (at.slot + 1) * rows, {rounding<T> + 4e-6, 1e-3}, [=] {
                    return reference::rms_norm(to_double(values(1)), to_double(weights), rows,
                                               hidden, double(epsilon));
                  });
    return trial{
        [=] { return refusal(rocmforge::rms_norm(y->view(), x->view(), weight->view(), epsilon)); },
        {y}};
  };
  list.tests.push_back({"rms_norm", type_name<T>,
                        shape_text({{"rows", rows}, {"hidden_dim", hidden}, {"gap", how.gap}}) +
                            (in_place ? ", in place" : "") + (magnitude < 1 ? ", tiny rows" : "") +
                            (std::is_same_v<T, TWeight> ? "" : ", weight of float"),
                        true, prepare});
}

template <class T>
void add_add_rms_norm(case_list& list, int rows, int hidden, const layout& how) {
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(rows * hidden);
    const auto weights = random_values<T>(std::size_t(hidden), 7);
    // The sum is rounded to T, and it is the rounded sum that is normalized.
    const auto summed = [=] {
      const auto a = random_values<T>(count, 5), b = random_values<T>(count, 6);
      std::vector<double> result(count);
      for (std::size_t i = 0; i < count; ++i)
        result[i] = as_double(T(static_cast<float>(a[i]) + static_cast<float>(b[i])));
      return result;
    };
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto x = make_tensor<T>({all, hidden}, placed_values<T>(at, count, 5), how);
    const auto weight = make_tensor<T>({hidden}, weights);
    // The sum takes the residual's place.
    const auto sum = expecting(make_tensor<T>({all, hidden}, placed_values<T>(at, count, 6)), "sum",
                               begin, end, {}, summed);
    const auto y = expecting(
        make_tensor<T>({all, hidden}, for_output(how)), "y", begin, end, {rounding<T> + 4e-6, 1e-3},
        [=] { return reference::rms_norm(summed(), to_double(weights), rows, hidden, 1e-5); });
    return trial{[=] {
                   return refusal(rocmforge::add_rms_norm(y->view(), sum->view(), x->view(),
                                                          sum->view(), weight->view(), 1e-5f));
                 },
                 {y, sum}};
  };
  list.tests.push_back({"add_rms_norm", type_name<T>,
                        shape_text({{"rows", rows}, {"hidden_dim", hidden}, {"gap", how.gap}}),
                        true, prepare});
}

/// RMSNorm with 1 + weight, or LayerNorm with a bias, of rows about `mean`.
enum class other_norm { one_plus_weight, layer_norm, add_layer_norm, l2_norm };

template <class T>
void add_other_norm(case_list& list, other_norm what, int rows, int hidden, double mean,
                    const layout& how) {
  const bool fused = what == other_norm::add_layer_norm;
  const char* name = what == other_norm::one_plus_weight ? "rms_norm 1 + weight"
                     : what == other_norm::layer_norm    ? "layer_norm"
                     : fused                             ? "add_layer_norm"
                                                         : "l2_norm";
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(rows * hidden);
    const auto weights = random_values<T>(std::size_t(hidden), 7),
               biases = random_values<T>(std::size_t(hidden), 8);
    const auto summed = [=] {
      const auto a = random_values<T>(count, 5, mean - 1, mean + 1), b = random_values<T>(count, 6);
      std::vector<double> result(count);
      for (std::size_t i = 0; i < count; ++i)
        result[i] = fused ? as_double(T(static_cast<float>(a[i]) + static_cast<float>(b[i])))
                          : as_double(a[i]);
      return result;
    };
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto x =
        make_tensor<T>({all, hidden}, placed_values<T>(at, count, 5, mean - 1, mean + 1), how);
    const auto weight = make_tensor<T>({hidden}, weights, {.offset = how.offset}),
               bias = make_tensor<T>({hidden}, biases);
    const auto sum = expecting(make_tensor<T>({all, hidden}, placed_values<T>(at, count, 6)), "sum",
                               begin, end, {}, summed);
    const double floor = what == other_norm::l2_norm ? 1e-3 : 1.0;
    const auto y = expecting(make_tensor<T>({all, hidden}, for_output(how)), "y", begin, end,
                             {rounding<T> + 4e-6, floor}, [=] {
                               if (what == other_norm::l2_norm)
                                 return reference::l2_norm(summed(), rows, hidden, 1e-6);
                               if (what == other_norm::one_plus_weight)
                                 return reference::rms_norm(summed(), to_double(weights), rows,
                                                            hidden, 1e-5, 1);
                               return reference::layer_norm(summed(), to_double(weights),
                                                            to_double(biases), rows, hidden, 1e-5);
                             });
    trial result{
        [=] {
          rocmforge::rms_norm_options options;
          options.weight_offset = 1;
          return refusal(
              what == other_norm::l2_norm ? rocmforge::l2_norm(y->view(), x->view())
              : what == other_norm::one_plus_weight
                  ? rocmforge::rms_norm(y->view(), x->view(), weight->view(), options)
              : fused ? rocmforge::add_layer_norm(y->view(), sum->view(), x->view(), sum->view(),
                                                  weight->view(), bias->view())
                      : rocmforge::layer_norm(y->view(), x->view(), weight->view(), bias->view()));
        },
        {y}};
    if (fused) result.outputs.push_back(sum);
    return result;
  };
  list.tests.push_back({name, type_name<T>,
                        shape_text({{"rows", rows}, {"hidden_dim", hidden}, {"gap", how.gap}}) +
                            (mean > 1 ? ", far from 0" : ""),
                        true, prepare});
}

template <class T>
void add_speed(const settings& s, case_list& list) {
  const int hidden = 4096, rows = timing_rows<T>(s, hidden);
  const auto count = std::size_t(rows) * std::size_t(hidden);
  const std::string shape = shape_text({{"rows", rows}, {"hidden_dim", hidden}});
  list.speeds.push_back({"rms_norm", type_name<T>, shape, 2.0 * double(count) * sizeof(T), 0, [=] {
                           const auto x = timing_data<T>(count), weight = timing_data<T>(4096);
                           const auto y = timing_data<T>(count);
                           return [=] {
                             return refusal(rocmforge::rms_norm(y->view(rows, hidden),
                                                                x->view(rows, hidden),
                                                                weight->view(hidden)));
                           };
                         }});
  list.speeds.push_back(
      {"add_rms_norm", type_name<T>, shape, 4.0 * double(count) * sizeof(T), 0, [=] {
         const auto x = timing_data<T>(count), sum = timing_data<T>(count),
                    weight = timing_data<T>(4096), y = timing_data<T>(count);
         return [=] {
           const auto both = sum->view(rows, hidden);
           return refusal(rocmforge::add_rms_norm(
               y->view(rows, hidden), both, x->view(rows, hidden), both, weight->view(hidden)));
         };
       }});
}

const registration norm("norm", [](const settings& s, case_list& list) {
  // Packets, one wave, one block and their neighbors, and the rows of real models.
  const std::vector<int> hidden_dims =
      s.quick ? std::vector<int>{1, 31, 33, 65, 257, 1025}
              : std::vector<int>{1,   3,   31,  32,  33,   63,   64,   65,   127,  255,
                                 256, 257, 576, 896, 1023, 1024, 1025, 2049, 4096, 8192};
  for_each_dtype([&]<class T>(T) {
    for (std::size_t i = 0; i < hidden_dims.size(); ++i) {
      const layout how{int(i % 3), int(i % 2) * 7};
      add_rms_norm<T>(list, 3, hidden_dims[i], 1e-5f, 1, how, i % 4 == 3);
      add_add_rms_norm<T>(list, 2, hidden_dims[i], how);
    }
    for (const int hidden : {33, 1024, 1025}) {
      const layout how{hidden % 3, hidden % 2 * 7};
      for (const other_norm what : {other_norm::one_plus_weight, other_norm::layer_norm,
                                    other_norm::add_layer_norm, other_norm::l2_norm})
        add_other_norm<T>(list, what, 3, hidden, 0, how);
    }
    // Rows so small that epsilon decides.
    add_rms_norm<T>(list, 2, 100, 1e-2f, 0.02, {}, false);
    add_speed<T>(s, list);
  });
  for (const int hidden : {33, 1024}) {
    add_rms_norm<half, float>(list, 3, hidden, 1e-5f, 1, {1, 0}, false);
    add_rms_norm<bfloat16, float>(list, 3, hidden, 1e-5f, 1, {1, 0}, false);
  }
  add_other_norm<float>(list, other_norm::layer_norm, 2, 257, 10000, {});
  add_other_norm<float>(list, other_norm::layer_norm, 2, 8200, 10000, {});
});

}  // namespace
}  // namespace verify
