// Attention of many queries as matrix instructions multiply it, where the device has them.
#include "attention_cases.hpp"

namespace verify {
namespace {

/// Many queries and rows that start at 16 bytes, as kernels::attention_mma takes them: masks that
/// hide whole tiles and parts of them, large scores, and a value that only some queries see.
std::vector<attention_case> aligned_cases() {
  const attention_case cases[] = {
      {.q_len = 33,
       .kv_len = 130,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 64,
       .seq_first = true,
       .gap = 1},
      {.q_len = 70, .kv_len = 40, .num_heads = 2, .head_dim = 32},
      {.q_len = 17, .kv_len = 70, .num_heads = 2, .head_dim = 128, .causal = false, .gap = 2},
      {.q_len = 9, .kv_len = 66, .num_heads = 2, .head_dim = 64, .magnitude = 30, .scale = 1},
      {.q_len = 80,
       .kv_len = 200,
       .num_heads = 6,
       .num_kv_heads = 2,
       .head_dim = 24,
       .gap = 1,
       .scale = 1,
       .v_head_dim = 64,
       .soft_cap = 2,
       .window = 17,
       .sinks = true},
      {.q_len = 40,
       .kv_len = 150,
       .num_heads = 2,
       .head_dim = 32,
       .window = 30,
       .infinite_key = 120},
  };
  std::vector<attention_case> aligned(std::begin(cases), std::end(cases));
  for (attention_case& c : aligned) c.unit = 8;
  return aligned;
}

#if defined(ROCMFORGE_EMULATION)
/// The kernel for matrix instructions on an emulated wave, whose instruction is plain arithmetic.
template <class T, int WaveSize>
void add_attentions_by_tiles(case_list& list) {
  using instructions =
      rocmforge::mma::instruction_list<rocmforge::mma::host_tile<T, float, 16, 16, 16, WaveSize>>;
  const auto by_tiles = [](const tensor_view<T, 4>& out, const tensor_view<T, 4>& q,
                           const tensor_view<T, 4>& k, const tensor_view<T, 4>& v,
                           const rocmforge::attention_options& options,
                           const tensor_view<float, 3>& lse) {
    const rocmforge::attention_problem::contiguous<T, T> problem{out, q, k, v, lse};
    const int head_dim = q.extent[3];
    rocmforge::status launched;
    return rocmforge::dispatch(
        rocmforge::int_list<32, 64, 128>{},
        rocmforge::padded_head_dim(std::max(head_dim, v.extent[3])), "attention", "q",
        "head_dim {0}", [&](auto padded) {
          const bool taken = rocmforge::attention_launch::many_queries<padded, 256, WaveSize>(
              instructions{}, launched, "attention", problem,
              rocmforge::scoring_of(options, head_dim), q.extent[0], q.extent[2], q.extent[1], {});
          if (!taken) launched = {rocmforge::status_code::unsupported, "attention", "", "", {}};
          return launched;
        });
  };
  for (const attention_case& c : aligned_cases())
    add_attention_by<T, T>(list, "attention by tiles", c, by_tiles);
}
#endif

const registration attention("attention_mma", []([[maybe_unused]] const settings& s,
                                                 case_list& list) {
  for (const attention_case& c : aligned_cases()) {
    add_attention<half, half>(list, c);
    add_attention<bfloat16, bfloat16>(list, c);
  }
#if defined(ROCMFORGE_EMULATION)
  if (s.wave_size == 1) return;
  static_cast<void>(rocmforge::dispatch(rocmforge::int_list<32, 64>{}, s.wave_size, "attention", "",
                                        "", [&](auto wave) {
                                          add_attentions_by_tiles<half, wave>(list);
                                          return rocmforge::status{};
                                        }));
#endif
});

}  // namespace
}  // namespace verify
