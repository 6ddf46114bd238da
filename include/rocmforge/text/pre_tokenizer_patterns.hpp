// The patterns that split text into words before byte-pair merges, by their names in
// tokenizer.ggml.pre. Sources: the regular expressions in the tokenizer.json published with each
// model; names as llama.cpp gives them, all that are in PyPI's llama-cpp-python 0.3.36 but for
// "whitespace", of one embedding model.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include <rocmforge/error.hpp>

namespace rocmforge {

/// The patterns of one family of vocabularies, and its defaults for keys that a file does not have.
struct pre_tokenizer_family {
  std::span<const std::string_view> names;
  std::span<const std::string_view>
      patterns;                // each is applied to the pieces that the previous one gives
  bool ignore_merges = false;  // a word that is a token is not merged step by step
  bool adds_bos = false;       // default of add_bos
  bool clean_spaces = true;    // decoding removes spaces before punctuation
  bool characters = false;     // merges characters, with U+2581 for a space, and falls back to byte
                               // tokens; otherwise bytes in the alphabet of GPT-2
  bool whole_newlines = false;  // a run of newlines that is a token is not merged step by step
};

namespace pre_tokenizer_patterns {

// Contractions are written in both cases: caseless matching would also match U+017F as an s.
inline constexpr std::string_view llama3[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view qwen2[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view gpt2[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view smollm[] = {R"(\p{N})", gpt2[0]};

inline constexpr std::string_view qwen35[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
    R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// The published versions of these two patterns distinguish upper and lower case in every script,
// and count marks as letters. llama.cpp, which model files are tested with, approximates them: an
// upper-case letter is any letter but a to z, a lower-case one any but A to Z, and marks are not
// letters. The tokens must be the same, so that these are llama.cpp's approximations.
inline constexpr std::string_view tekken[] = {
    R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]*[^\P{L}A-Z]+|)"
    R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view gpt4o[] = {
    R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]*[^\P{L}A-Z]+)"
    R"((?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|)"
    R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]+)"
    R"((?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// The lookbehind does not change the matches. Without it PCRE2's interpreter takes quadratic time
// for a long run of spaces before another character.
inline constexpr std::string_view deepseek_llm[] = {
    R"([\r\n])",
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A})"
    R"(\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556})"
    R"(\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF})"
    R"(\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D})"
    R"(\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D})"
    R"(\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4})"
    R"(\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4})"
    R"(\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124})"
    R"(\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F})"
    R"(\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4})"
    R"(\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F})"
    R"(\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
    R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3})"
    R"(\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"
    R"(\x{1E900}-\x{1E943}]+)",
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
    R"((?<!\s)\s+\z)",
    R"([\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+)",
    R"(\p{N}+)"};

inline constexpr std::string_view deepseek_v3[] = {
    R"(\p{N}{1,3})", R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)",
    R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view deepseek_coder[] = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
                                                      R"([\x{800}-\x{9FA5}\x{AC00}-\x{D7FF}]+)",
                                                      R"(\p{N})"};

// Digits in groups of three, counted from the end of their run. A run may be long: only the first
// group looks for its end.
inline constexpr std::string_view groups_of_three =
    R"((?<=\p{N})\p{N}{3}|\P{N}*+\p{N}{1,3}(?=(?:\p{N}{3})*+(?!\p{N}))|\P{N}++)";

inline constexpr std::string_view minicpm5[] = {
    R"(\p{N}{1,3})",
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view jais2[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|)"
    R"(\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s)"};

inline constexpr std::string_view spark[] = {
    deepseek_v3[0], deepseek_v3[1],
    R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|)"
    R"([\r\n]|\s+(?!\S)|\s+)",
    R"(\p{N})"};

// The published versions of the next two tell upper from lower case; llama.cpp takes both for
// letters here, so that a word is any letters and marks.
inline constexpr std::string_view youtu[] = {
    R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019})"
    R"(\x{2014}\x{FF1A}\x{FF1B}\x{FF0C}\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|)"
    R"([\x{3105}-\x{312F}]+|[\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)",
    R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view tiny_aya[] = {
    groups_of_three,
    R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// Marks count as letters; upper and lower case as for gpt4o.
inline constexpr std::string_view granite_multilingual[] = {
    R"([^\r\n\p{L}\p{N}]?[^\p{N}\p{P}\p{S}\p{Z}\p{C}a-z]*[^\p{N}\p{P}\p{S}\p{Z}\p{C}A-Z]+)"
    R"((?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|)"
    R"([^\r\n\p{L}\p{N}]?[^\p{N}\p{P}\p{S}\p{Z}\p{C}a-z]+)"
    R"((?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view bloom[] = {
    R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)"};

inline constexpr std::string_view viking[] = {bloom[0], R"(\p{N})"};

inline constexpr std::string_view chameleon[] = {"<sentinel:[0-9]+>",       "IMGIMG[A-I]{1,4}Z",
                                                 R"([\t\n]|    |  )",       R"(\p{N})",
                                                 R"([\p{P}!-/:-@\[-`{-~])", gpt2[0]};

// Chinese characters are words of their own; the ranges are llama.cpp's.
inline constexpr std::string_view kimi_k2[] = {
    R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2EBEF}\x{F900}-\x{FAFF})"
    R"(\x{2F800}-\x{2FA1F}]+|)"
    R"([^\r\n\p{L}\p{N}]?[^\P{L}\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF})"
    R"(\x{2A700}-\x{2EBEF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]+)"
    R"((?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

// Only numbers are cut: a token may be several words.
inline constexpr std::string_view superbpe[] = {
    R"(\p{N}+)", R"((?<=[0-9])[0-9]{3}(?=[0-9])|(?s:.+?)(?=(?:[0-9]{3})++(?![0-9]))|(?s:.+))"};

inline constexpr std::string_view bailing[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"};

inline constexpr std::string_view seed_coder[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view ufakzeka[] = {
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

inline constexpr std::string_view afmoe[] = {
    groups_of_three,
    R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{8C48}-\x{FAFF}\x{3040}-\x{30FF}\x{FF65}-\x{FF9F})"
    R"(\x{2F00}-\x{2FDF}\x{E40}-\x{EFF}\x{1780}-\x{17FF}\x{1000}-\x{109F}\x{AA60}-\x{AA7F})"
    R"(\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+)",
    deepseek_v3[2]};

inline constexpr std::string_view lines[] = {R"([^\n]+|\n+)"};

inline constexpr std::string_view laguna[] = {lines[0], qwen2[0]};

// Words of letters, with the single spaces between them.
inline constexpr std::string_view exaone_moe[] = {
    R"('(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|)"
    R"([^\r\n\p{L}\p{N}]?\p{L}(?:[\p{L}\p{M}]++| (?=\p{L}))*+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)"};

inline constexpr std::string_view falcon[] = {R"([\p{P}$+<=>^~|`]+)", gpt2[0], "[0-9][0-9][0-9]"};

inline constexpr std::string_view none_in_particular[] = {R"([\p{P}$+<=>^~|]+)", gpt2[0],
                                                          R"(\p{N}+)", "[0-9][0-9][0-9]"};

inline constexpr std::string_view llama3_names[] = {"llama-bpe", "llama3",    "llama-v3",
                                                    "falcon3",   "falcon-h1", "pixtral",
                                                    "midm-2.0",  "lfm2",      "jina-v5-nano"};
inline constexpr std::string_view llama3_with_merges_names[] = {"dbrx", "smaug-bpe", "chatglm-bpe"};
inline constexpr std::string_view glm4_names[] = {"glm4", "glm5"};
inline constexpr std::string_view qwen2_names[] = {
    "qwen2", "deepseek-r1-qwen", "kormo", "hunyuan", "grok-2", "solar-open", "f2llmv2"};
inline constexpr std::string_view qwen2_clean_names[] = {"stablelm2", "megrez"};
inline constexpr std::string_view qwen35_names[] = {"qwen35"};
inline constexpr std::string_view gpt2_names[] = {
    "gpt-2",   "phi-2",      "mpt",         "olmo",        "jais",        "exaone4",
    "mellum",  "gigachat",   "modern-bert", "roberta-bpe", "a.x-4.0",     "jina-es",
    "jina-de", "jina-v2-es", "jina-v2-de",  "jina-v1-en",  "jina-v2-code"};
inline constexpr std::string_view gpt2_unclean_names[] = {"trillion", "granite-docling"};
inline constexpr std::string_view smollm_names[] = {"smollm", "command-r"};
inline constexpr std::string_view smollm_clean_names[] = {"starcoder", "refact",     "codeshell",
                                                          "exaone",    "minerva-7b", "mellum2"};
inline constexpr std::string_view tekken_names[] = {"tekken"};
inline constexpr std::string_view gpt4o_names[] = {"gpt-4o", "llama4", "kanana2", "minimax-m2",
                                                   "talkie"};
inline constexpr std::string_view deepseek_llm_names[] = {"deepseek-llm"};
inline constexpr std::string_view deepseek_v3_names[] = {"deepseek-v3", "hunyuan-dense",
                                                         "joyai-llm", "hy_v4"};
inline constexpr std::string_view deepseek_coder_names[] = {"deepseek-coder"};
inline constexpr std::string_view falcon_names[] = {"falcon"};
inline constexpr std::string_view default_names[] = {"default"};
inline constexpr std::string_view minicpm5_names[] = {"minicpm5"};
inline constexpr std::string_view jais2_names[] = {"jais-2"};
inline constexpr std::string_view spark_names[] = {"spark2_5"};
inline constexpr std::string_view youtu_names[] = {"youtu"};
inline constexpr std::string_view tiny_aya_names[] = {"tiny_aya", "cohere2moe"};
inline constexpr std::string_view granite_multilingual_names[] = {"granite-embed-multi-97m"};
inline constexpr std::string_view bloom_names[] = {"bloom", "gpt3-finnish"};
inline constexpr std::string_view poro_names[] = {"poro-chat"};
inline constexpr std::string_view viking_names[] = {"viking"};
inline constexpr std::string_view chameleon_names[] = {"chameleon"};
inline constexpr std::string_view kimi_k2_names[] = {"kimi-k2"};
inline constexpr std::string_view superbpe_names[] = {"superbpe"};
inline constexpr std::string_view bailing_names[] = {"bailingmoe", "bailingmoe2", "llada-moe"};
inline constexpr std::string_view seed_coder_names[] = {"seed-coder"};
inline constexpr std::string_view ufakzeka_names[] = {"ufakzeka"};
inline constexpr std::string_view afmoe_names[] = {"afmoe"};
inline constexpr std::string_view laguna_names[] = {"laguna"};
inline constexpr std::string_view exaone_moe_names[] = {"exaone-moe"};
inline constexpr std::string_view gemma4_names[] = {"gemma4", "granite-embed-multi-311m"};
inline constexpr std::string_view sarvam_names[] = {"sarvam-moe"};

}  // namespace pre_tokenizer_patterns

inline constexpr auto pre_tokenizer_families = [] {
  using namespace pre_tokenizer_patterns;
  return std::array<pre_tokenizer_family, 37>{{
      {.names = llama3_names, .patterns = llama3, .ignore_merges = true, .adds_bos = true},
      {.names = llama3_with_merges_names, .patterns = llama3},
      {.names = glm4_names, .patterns = llama3, .ignore_merges = true},
      {.names = qwen2_names, .patterns = qwen2, .clean_spaces = false},
      {.names = qwen2_clean_names, .patterns = qwen2},
      {.names = qwen35_names, .patterns = qwen35, .clean_spaces = false},
      {.names = gpt2_names, .patterns = gpt2},
      {.names = gpt2_unclean_names, .patterns = gpt2, .clean_spaces = false},
      {.names = smollm_names, .patterns = smollm, .clean_spaces = false},
      {.names = smollm_clean_names, .patterns = smollm},
      {.names = tekken_names,
       .patterns = tekken,
       .ignore_merges = true,
       .adds_bos = true,
       .clean_spaces = false},
      {.names = gpt4o_names, .patterns = gpt4o, .clean_spaces = false},
      {.names = deepseek_llm_names, .patterns = deepseek_llm, .clean_spaces = false},
      {.names = deepseek_v3_names, .patterns = deepseek_v3, .clean_spaces = false},
      {.names = deepseek_coder_names, .patterns = deepseek_coder, .clean_spaces = false},
      {.names = falcon_names, .patterns = falcon},
      {.names = default_names, .patterns = none_in_particular},
      {.names = minicpm5_names, .patterns = minicpm5, .ignore_merges = true},
      {.names = jais2_names, .patterns = jais2},
      {.names = spark_names, .patterns = spark, .clean_spaces = false},
      {.names = youtu_names, .patterns = youtu, .ignore_merges = true, .clean_spaces = false},
      {.names = tiny_aya_names, .patterns = tiny_aya, .clean_spaces = false},
      {.names = granite_multilingual_names,
       .patterns = granite_multilingual,
       .ignore_merges = true,
       .clean_spaces = false},
      {.names = bloom_names, .patterns = bloom},
      {.names = poro_names, .patterns = bloom, .clean_spaces = false},
      {.names = viking_names, .patterns = viking, .clean_spaces = false},
      {.names = chameleon_names, .patterns = chameleon, .adds_bos = true, .clean_spaces = false},
      {.names = kimi_k2_names, .patterns = kimi_k2, .clean_spaces = false},
      {.names = superbpe_names, .patterns = superbpe, .clean_spaces = false},
      {.names = bailing_names, .patterns = bailing, .clean_spaces = false},
      {.names = seed_coder_names, .patterns = seed_coder, .clean_spaces = false},
      {.names = ufakzeka_names, .patterns = ufakzeka, .clean_spaces = false},
      {.names = afmoe_names, .patterns = afmoe, .clean_spaces = false},
      {.names = laguna_names, .patterns = laguna, .clean_spaces = false},
      {.names = exaone_moe_names, .patterns = exaone_moe},
      {.names = gemma4_names,
       .patterns = lines,
       .adds_bos = true,
       .characters = true,
       .whole_newlines = true},
      {.names = sarvam_names, .patterns = lines, .clean_spaces = false, .characters = true},
  }};
}();

/// The family with this name. Throws `error`, with a list of the names, if it is unknown.
inline const pre_tokenizer_family& find_pre_tokenizer_family(std::string_view name) {
  std::string known;
  for (const pre_tokenizer_family& family : pre_tokenizer_families) {
    for (const std::string_view candidate : family.names) {
      if (candidate == name) return family;
      known += (known.empty() ? "" : ", ") + std::string(candidate);
    }
  }
  throw error((name.empty() ? "no pre-tokenizer is named (tokenizer.ggml.pre)"
                            : "unknown pre-tokenizer \"" + printable(name) + "\"") +
              ", expected one of " + known);
}

}  // namespace rocmforge
