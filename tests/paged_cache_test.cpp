// Pages of keys and values: what sequences hold, give back, and are refused.
#include <rocmforge/model/paged_cache.hpp>

#include <optional>
#include <set>

#include "support/gguf_fixture.hpp"
#include "support/kernel_test.hpp"

namespace rocmforge::testing {
namespace {

static_assert(!std::is_copy_constructible_v<paged_cache> &&
              !std::is_move_constructible_v<paged_cache>);
static_assert(!std::is_copy_constructible_v<cached_sequence> &&
              !std::is_copy_assignable_v<cached_sequence>);
static_assert(std::is_nothrow_move_constructible_v<cached_sequence> &&
              std::is_nothrow_move_assignable_v<cached_sequence>);

constexpr paged_cache_options small{
    .num_layers = 2, .num_kv_heads = 3, .head_dim = 4, .page_size = 8, .num_pages = 10};

class paged_cache_test : public memory_test {};
INSTANTIATE_TEST_SUITE_P(devices, paged_cache_test, ::testing::ValuesIn(device_numbers()),
                         device_name);

TEST_P(paged_cache_test, is_as_large_as_its_options_say) {
  for (const dtype type : {dtype::f32, dtype::f16, dtype::bf16}) {
    auto options = small;
    options.type = type;
    const paged_cache cache(options);
    EXPECT_EQ(bytes_in_use() - before_, std::size_t(2 * 2 * 3 * 4 * 8 * 10 * bytes_of(type)));
    EXPECT_EQ(cache.capacity(), 80);
    EXPECT_EQ(cache.num_free_pages(), 10);
    EXPECT_EQ(cache.options().type, type);
  }
}

TEST_P(paged_cache_test, has_memory_of_its_own_for_each_layer_and_both_kinds) {
  paged_cache cache(small);
  std::set<const float*> starts;
  for (int layer = 0; layer < 2; ++layer) {
    for (const auto& pages : {cache.keys<float>(layer), cache.values<float>(layer)}) {
      EXPECT_EQ(std::vector(pages.extent, pages.extent + 4), (std::vector{10, 3, 8, 4}));
      starts.insert(pages.data);
    }
  }
  EXPECT_EQ(starts.size(), 4u);
  refusal([&] { static_cast<void>(cache.keys<half>(0)); },
          "asked for pages of another type than f32");
  refusal([&] { static_cast<void>(cache.values<bfloat16>(1)); },
          "asked for pages of another type than f32");
}

TEST_P(paged_cache_test, refuses_options_out_of_range) {
  using option_of_cache = int paged_cache_options::*;
  for (const option_of_cache option :
       {&paged_cache_options::num_layers, &paged_cache_options::num_kv_heads,
        &paged_cache_options::head_dim, &paged_cache_options::page_size,
        &paged_cache_options::num_pages}) {
    for (const int value : {0, -1}) {
      auto options = small;
      options.*option = value;
      refusal([&] { paged_cache{options}; }, "paged_cache: every option must be 1 or more");
    }
  }
  const auto refused = [](int num_kv_heads, int head_dim, int page_size, int num_pages) {
    refusal(
        [&] {
          paged_cache({1, num_kv_heads, head_dim, page_size, num_pages});
        },
        "are too many, expected at most 2^31 - 1 tokens of at most 2^24 elements");
  };
  refused(1, 1, 1 << 16, 1 << 15);
  refused(1 << 12, (1 << 12) + 1, 1, 1);
  constexpr int largest = std::numeric_limits<int>::max();
  refused(largest, largest, largest, largest);
}

TEST_P(paged_cache_test, needs_all_of_its_memory) {
  constexpr std::size_t needed = 2 * 2 * 3 * 4 * 8 * 10 * sizeof(float);
  for (const std::size_t fits : {std::size_t{0}, needed / 4, needed / 2, needed - 1}) {
    device_memory_limit() = before_ + fits;
    refusal([] { paged_cache{small}; }, "out of device memory");
    EXPECT_EQ(bytes_in_use(), before_) << fits;
  }
  device_memory_limit() = before_ + needed;
  const paged_cache cache(small);
  EXPECT_EQ(bytes_in_use(), before_ + needed);
}

TEST_P(paged_cache_test, sequences_take_pages_as_they_grow) {
  paged_cache cache(small);
  cached_sequence text(cache, 100);
  for (const auto& [count, length, num_pages] :
       {std::array{0, 0, 0}, {1, 1, 1}, {7, 8, 1}, {1, 9, 2}, {20, 29, 4}, {3, 32, 4}}) {
    text.grow(count);
    EXPECT_EQ(text.length(), length);
    EXPECT_EQ(text.pages().size(), std::size_t(num_pages)) << length;
    EXPECT_EQ(cache.num_free_pages(), 10 - num_pages) << length;
  }
  for (const auto& [length, num_pages] :
       {std::pair{40, 4}, {32, 4}, {25, 4}, {24, 3}, {1, 1}, {0, 0}, {-5, 0}}) {
    text.truncate(length);
    EXPECT_EQ(text.length(), std::clamp(length, 0, 32));
    EXPECT_EQ(cache.num_free_pages(), 10 - num_pages) << length;
  }
}

TEST_P(paged_cache_test, a_refused_sequence_is_as_before) {
  paged_cache cache(small);
  cached_sequence text(cache, 60), other(cache, 100);
  text.grow(50);  // seven pages
  other.grow(9);
  const auto pages = text.pages(), other_pages = other.pages();
  refusal([&] { text.grow(11); },
          "the context of 60 tokens is full: it holds 50, and 11 more were given");
  refusal([&] { text.grow(std::numeric_limits<int>::max()); }, "the context of 60 tokens is full");
  refusal([&] { text.grow(-1); }, "cannot grow by -1 tokens");
  refusal([&] { other.grow(16); },
          "the key-value cache has no page left: 2 are needed, 1 of 10 are free");
  EXPECT_EQ(text.length(), 50);
  EXPECT_EQ(other.length(), 9);
  EXPECT_EQ(text.pages(), pages);
  EXPECT_EQ(other.pages(), other_pages);
  EXPECT_EQ(cache.num_free_pages(), 1);
  text.truncate(40);
  other.grow(16);
  EXPECT_EQ(other.length(), 25);
  EXPECT_EQ(cache.num_free_pages(), 1);
}

TEST_P(paged_cache_test, pages_move_with_their_sequence) {
  paged_cache cache(small), elsewhere(small);
  std::optional<cached_sequence> a(std::in_place, cache, 30);
  a->grow(20);
  const auto pages = a->pages();
  cached_sequence b(std::move(*a));
  a.reset();  // gives back nothing
  EXPECT_EQ(cache.num_free_pages(), 7);
  EXPECT_EQ(b.length(), 20);
  EXPECT_EQ(b.max_length(), 30);
  EXPECT_EQ(b.pages(), pages);
  {
    cached_sequence c(elsewhere, 50);
    c.grow(1);
    c = std::move(b);
    EXPECT_EQ(&c.cache(), &cache);
    EXPECT_EQ(c.pages(), pages);
  }
  EXPECT_EQ(cache.num_free_pages(), 10);  // c's end
  EXPECT_EQ(elsewhere.num_free_pages(), b.pages().empty() ? 10 : 9);
}

TEST_P(paged_cache_test, no_two_tokens_share_a_slot) {
  paged_cache cache(small);
  std::mt19937 engine(1);
  std::vector<cached_sequence> texts;
  for (int i = 0; i < 4; ++i) texts.emplace_back(cache, 40);
  int refusals = 0;
  for (int round = 0; round < 500; ++round) {
    cached_sequence& text = texts[engine() % texts.size()];
    const int length = text.length();
    if (engine() % 3 == 0) {
      text.truncate(static_cast<int>(engine() % 41));
    } else {
      try {
        text.grow(static_cast<int>(engine() % 17));
      } catch (const error&) {
        ++refusals;
        ASSERT_EQ(text.length(), length);
      }
    }
    std::set<int> slots;
    int num_tokens = 0, num_pages = 0;
    for (const cached_sequence& each : texts) {
      for (int position = 0; position < each.length(); ++position)
        slots.insert(each.slot(position));
      num_tokens += each.length();
      num_pages += static_cast<int>(each.pages().size());
      ASSERT_EQ(each.pages().size(), std::size_t(each.length() + 7) / 8);
    }
    ASSERT_EQ(slots.size(), std::size_t(num_tokens));
    ASSERT_TRUE(slots.empty() || (*slots.begin() >= 0 && *slots.rbegin() < 80));
    ASSERT_EQ(num_pages + cache.num_free_pages(), 10);
  }
  EXPECT_GT(refusals, 10);
}

}  // namespace
}  // namespace rocmforge::testing
