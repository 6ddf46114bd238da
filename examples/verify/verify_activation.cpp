// Activations and addition.
#include <rocmforge/activation.hpp>

#include "reference/activation.hpp"
#include "tensors.hpp"
#include "ulp.hpp"

namespace verify {
namespace {

namespace reference = rocmforge::testing::reference;

enum class op { swiglu, add };

template <class T>
void add_op(case_list& list, op what, int rows, int size, const layout& how, bool in_place) {
  const bool gated = what == op::swiglu;
  const auto prepare = [=](const placement& at) {
    const auto count = std::size_t(rows * size);
    const double magnitude = gated ? 12 : 1;
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto a =
        make_tensor<T>({all, size}, placed_values<T>(at, count, 1, -magnitude, magnitude), how);
    const auto b = make_tensor<T>({all, size}, placed_values<T>(at, count, 2, -3, 3), how);
    const auto y =
        expecting(in_place ? a : make_tensor<T>({all, size}, for_output(how)), "y", begin, end,
                  gated ? tolerance{rounding<T> + 4e-6, 1e-3} : tolerance{}, [=] {
                    const auto left = to_double(random_values<T>(count, 1, -magnitude, magnitude)),
                               right = to_double(random_values<T>(count, 2, -3, 3));
                    if (gated) return reference::swiglu(left, right);
                    std::vector<double> sums(count);
                    for (std::size_t i = 0; i < count; ++i)
                      sums[i] = nearest(format_of<T>, static_cast<float>(left[i] + right[i]));
                    return sums;
                  });
    return trial{[=] {
                   return refusal(gated ? rocmforge::swiglu(y->view(), a->view(), b->view())
                                        : rocmforge::add(y->view(), a->view(), b->view()));
                 },
                 {y}};
  };
  list.tests.push_back({gated ? "swiglu" : "add", type_name<T>,
                        shape_text({{"rows", rows}, {"row_size", size}, {"gap", how.gap}}) +
                            (in_place ? ", in place" : ""),
                        true, prepare});
}

template <class T>
void add_speed(const settings& s, case_list& list, op what) {
  const int size = 14336, rows = timing_rows<T>(s, size);
  const auto count = std::size_t(rows) * std::size_t(size);
  list.speeds.push_back(
      {what == op::swiglu ? "swiglu" : "add", type_name<T>,
       shape_text({{"rows", rows}, {"row_size", size}}), 3.0 * double(count) * sizeof(T), 0, [=] {
         const auto a = timing_data<T>(count), b = timing_data<T>(count), y = timing_data<T>(count);
         return [=] {
           return refusal(
               what == op::swiglu
                   ? rocmforge::swiglu(y->view(rows, size), a->view(rows, size),
                                       b->view(rows, size))
                   : rocmforge::add(y->view(rows, size), a->view(rows, size), b->view(rows, size)));
         };
       }});
}

/// A function of one tensor or of the halves of one joined tensor: what its name, its launch and
/// its definition are.
struct function {
  const char* name;
  int num_halves;  // of an input row: 1 or 2
  double (*expected)(double gate, double up);
};

template <class Launch>
void add_function(case_list& list, const function& f, int rows, int size, const layout& how,
                  const Launch& launch) {
  const auto prepare = [=](const placement& at) {
    const int columns = f.num_halves * size;
    const auto count = std::size_t(rows * columns);
    const int all = at.copies * rows, begin = at.slot * rows, end = begin + rows;
    const auto x =
        make_tensor<float>({all, columns}, placed_values<float>(at, count, 1, -9, 9), how);
    const auto y =
        expecting(make_tensor<float>({all, size}, for_output(how)), "y", begin, end,
                  {rounding<float> + 2e-5, 1e-5}, [=] {
                    const auto in = to_double(random_values<float>(count, 1, -9, 9));
                    std::vector<double> values;
                    for (int i = 0; i < rows * size; ++i) {
                      const int first = i / size * columns + i % size;
                      values.push_back(f.expected(in[std::size_t(first)],
                                                  in[std::size_t(first + columns - size)]));
                    }
                    return values;
                  });
    return trial{[=] { return refusal(launch(y->view(), x->view())); }, {y}};
  };
  list.tests.push_back({f.name, "f32",
                        shape_text({{"rows", rows}, {"row_size", size}, {"gap", how.gap}}), true,
                        prepare});
}

/// Every function once for each size: in float, because what differs from type to type is in swiglu
/// and add already.
void add_functions(case_list& list, int rows, int size, const layout& how) {
  using rocmforge::gelu_form;
  const auto add = [&](const function& f, const auto& launch) {
    add_function(list, f, rows, size, how, launch);
  };
  add({"swiglu joined", 2, [](double g, double u) { return reference::silu(g) * u; }},
      [](auto y, auto x) { return rocmforge::swiglu(y, x); });
  add({"geglu tanh", 2, [](double g, double u) { return reference::gelu_tanh(g) * u; }},
      [](auto y, auto x) { return rocmforge::geglu(y, x); });
  add({"geglu erf", 2, [](double g, double u) { return reference::gelu_erf(g) * u; }},
      [](auto y, auto x) { return rocmforge::geglu(y, x, gelu_form::erf); });
  add({"reglu", 2, [](double g, double u) { return reference::relu(g) * u; }},
      [](auto y, auto x) { return rocmforge::reglu(y, x); });
  add({"clamped_swiglu", 2, [](double g, double u) { return reference::clamped_swiglu(g, u); }},
      [](auto y, auto x) { return rocmforge::clamped_swiglu(y, x); });
  add({"silu", 1, [](double x, double) { return reference::silu(x); }},
      [](auto y, auto x) { return rocmforge::silu(y, x); });
  add({"gelu tanh", 1, [](double x, double) { return reference::gelu_tanh(x); }},
      [](auto y, auto x) { return rocmforge::gelu(y, x); });
  add({"gelu erf", 1, [](double x, double) { return reference::gelu_erf(x); }},
      [](auto y, auto x) { return rocmforge::gelu(y, x, gelu_form::erf); });
  add({"quick_gelu", 1, [](double x, double) { return reference::quick_gelu(x); }},
      [](auto y, auto x) { return rocmforge::quick_gelu(y, x); });
  add({"relu", 1, [](double x, double) { return reference::relu(x); }},
      [](auto y, auto x) { return rocmforge::relu(y, x); });
  add({"relu_squared", 1, [](double x, double) { return reference::relu_squared(x); }},
      [](auto y, auto x) { return rocmforge::relu_squared(y, x); });
}

const registration activation("activation", [](const settings& s, case_list& list) {
  // Packets, waves, one block's part of a row and their neighbors, and the rows of real models.
  const std::vector<int> sizes =
      s.quick ? std::vector<int>{1, 33, 255, 1025, 2049}
              : std::vector<int>{1,   7,    31,   32,   33,   63,   64,   65,   255,   256,  257,
                                 576, 1023, 1024, 1025, 1536, 2047, 2049, 4099, 14336, 16385};
  for_each_dtype([&]<class T>(T) {
    for (const op what : {op::swiglu, op::add}) {
      for (std::size_t i = 0; i < sizes.size(); ++i)
        add_op<T>(list, what, i % 2 == 0 ? 2 : 5, sizes[i], {int(i % 3), int(i % 2) * 5},
                  i % 4 == 3);
      add_speed<T>(s, list, what);
    }
  });
  add_functions(list, 3, 33, {1, 5});
  add_functions(list, 2, 1025, {});
});

}  // namespace
}  // namespace verify
