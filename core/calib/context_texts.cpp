#include "calib/context_texts.h"

#include <algorithm>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/log.h"
#include "tokenizer/tokenizer.h"

namespace espalier {
namespace {

constexpr std::size_t kTokensBefore = 16;
constexpr std::size_t kTokensAfter = 8;

void fill(TopContext& context, const TokenWindows& windows, const TokenTags& tags,
          const Tokenizer* tokenizer) {
    const auto [window, position] = tags.place_of(context.row);
    const std::span<const TokenId> ids = windows.windows[window];
    context.window = static_cast<std::int64_t>(window);
    context.position = static_cast<std::int64_t>(position);
    context.token = ids[position];
    if (tokenizer == nullptr) return;
    const std::size_t begin = position - std::min(position, kTokensBefore);
    const auto after = ids.subspan(position + 1);
    context.before = tokenizer->decode(ids.subspan(begin, position - begin));
    context.text = tokenizer->decode(ids.subspan(position, 1));
    context.after = tokenizer->decode(after.first(std::min(after.size(), kTokensAfter)));
}

}  // namespace

void fill_contexts(ExpertStats& stats, const TokenWindows& windows, const TokenTags& tags,
                   const std::optional<TokenizerFiles>& tokenizer) {
    std::unique_ptr<const Tokenizer> decoder;
    try {
        if (tokenizer) decoder = std::make_unique<const Tokenizer>(tokenizer->tokenizer);
    } catch (const Error& error) {  // token ids were measured: nothing else needs the tokenizer
        log("calib").warn("the strongest tokens are listed without their text: {}", error.what());
    }
    for (auto& [index, layer] : stats.layers) {
        for (auto& list : layer.top_contexts) {
            for (TopContext& context : list) fill(context, windows, tags, decoder.get());
        }
    }
}

}  // namespace espalier
