// Embedding lookup in dense and quantized tables.
#include <rocmforge/embedding.hpp>

#include <limits>

#include "reference/quant.hpp"
#include "tensors.hpp"
#include "weights.hpp"

namespace verify {
namespace {

constexpr int vocab_size = 13;

template <class Type, class T>
void add_lookup(case_list& list, int hidden, int num_tokens, int gap) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  const auto prepare = [=](const placement& at) {
    const auto table_values = reference::random_weights<Type>(std::size_t(vocab_size * hidden), 1);
    const auto tokens = [=](unsigned seed) {
      std::vector<int> chosen;
      for (int i = 0; i < num_tokens; ++i) chosen.push_back((i * 7 + int(seed % 100)) % vocab_size);
      if (num_tokens > 2) chosen[1] = vocab_size;  // outside: NaN, so that it is seen
      if (num_tokens > 3) chosen[3] = -1;
      return chosen;
    };
    const int all = at.copies * num_tokens;
    const auto table = make_tensor<Type>({vocab_size, hidden / elements}, table_values, {0, gap});
    const auto which = make_tensor<int>({all}, placed(at, 1, tokens));
    // A weight of zero on the grid of m + q d comes out of float arithmetic as a few units of m's
    // last place.
    const auto y =
        expecting(make_tensor<T>({all, hidden}, for_output({gap, gap})), "y", at.slot * num_tokens,
                  (at.slot + 1) * num_tokens, {rounding<T> * 1.001 + 2e-7, 1.0}, [=] {
                    const auto weights = reference::decode(table_values);
                    std::vector<double> expected;
                    for (const int token : tokens(1)) {
                      const bool known = token >= 0 && token < vocab_size;
                      for (int i = 0; i < hidden; ++i)
                        expected.push_back(known ? weights[std::size_t(token * hidden + i)]
                                                 : std::numeric_limits<double>::quiet_NaN());
                    }
                    return expected;
                  });
    return trial{
        [=] {
          return refusal(rocmforge::embedding<Type>(y->view(), table->view(), which->view()));
        },
        {y}};
  };
  list.tests.push_back({"embedding", weight_name<Type> + ">" + type_name<T>,
                        shape_text({{"tokens", num_tokens}, {"hidden_dim", hidden}, {"gap", gap}}),
                        true, prepare});
}

template <class Type, class T>
void add_lookups(const settings& s, case_list& list) {
  constexpr int elements = rocmforge::block_traits<Type>::elements;
  const std::vector<int> hidden_dims =
      elements == 32 ? (s.quick ? std::vector<int>{32, 96, 576}
                                : std::vector<int>{32, 64, 96, 576, 896, 2048, 8192})
                     : (s.quick ? std::vector<int>{1, 17, 33, 100}
                                : std::vector<int>{1, 15, 16, 17, 31, 33, 47, 64, 100, 257, 4096});
  int i = 0;
  for (const int hidden : hidden_dims) {
    add_lookup<Type, T>(list, hidden, i % 2 == 0 ? 5 : 1, i % 3);
    ++i;
  }
  const int hidden = 4096, tokens = timing_rows<T>(s, hidden), vocabulary = 32000;
  const auto count = std::size_t(tokens) * std::size_t(hidden);
  const double weight_bytes = double(sizeof(Type)) / elements;
  list.speeds.push_back(
      {"embedding", weight_name<Type> + ">" + type_name<T>,
       shape_text({{"tokens", tokens}, {"hidden_dim", hidden}, {"vocab_size", vocabulary}}),
       double(count) * (sizeof(T) + weight_bytes), 0, [=] {
         const int row = hidden / elements;
         const auto table = timing_weights<Type>(std::size_t(vocabulary) * std::size_t(hidden));
         const auto y = timing_data<T>(count);
         std::vector<int> chosen;
         for (int token = 0; token < tokens; ++token)
           chosen.push_back(int(token * std::int64_t{7919} % vocabulary));
         const auto which = std::make_shared<rocmforge::device_buffer<int>>(chosen);
         return [=] {
           return refusal(rocmforge::embedding<Type>(
               y->view(tokens, hidden), table->view(vocabulary, row), which->view(tokens)));
         };
       }});
}

const registration embedding("embedding", [](const settings& s, case_list& list) {
  add_lookups<float, float>(s, list);
  add_lookups<half, float>(s, list);
  add_lookups<bfloat16, bfloat16>(s, list);
  add_lookups<rocmforge::q4_0, float>(s, list);
  add_lookups<rocmforge::q4_1, float>(s, list);
  add_lookups<rocmforge::q4_1, half>(s, list);
  add_lookups<rocmforge::q8_0, float>(s, list);
  add_lookups<rocmforge::q8_0, bfloat16>(s, list);
});

}  // namespace
}  // namespace verify
