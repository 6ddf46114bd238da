// SwiGLU and addition.
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

const registration activation("activation", [](const settings& s, case_list& list) {
  // Packets, waves, one block's part of a row and their neighbours, and the rows of real models.
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
});

}  // namespace
}  // namespace verify
