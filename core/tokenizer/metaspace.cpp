#include "tokenizer/metaspace.h"

#include <fmt/format.h>
#include <utility>

#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

MetaspaceOptions::Prepend read_prepend(const JsonPart& json) {
    using Prepend = MetaspaceOptions::Prepend;
    if (!json.find("prepend_scheme")) {  // files from before 0.15
        return json.flag("add_prefix_space", true) ? Prepend::Always : Prepend::Never;
    }
    const std::string scheme = json.text("prepend_scheme");
    if (scheme == "always") return Prepend::Always;
    if (scheme == "first") return Prepend::First;
    if (scheme == "never") return Prepend::Never;
    json.unsupported(fmt::format("unknown prepend_scheme \"{}\"", scheme));
}

std::string replace_spaces(std::string_view text, std::string_view replacement) {
    std::string result;
    for (const char c : text) {
        if (c == ' ') {
            result += replacement;
        } else {
            result += c;
        }
    }
    return result;
}

}  // namespace

MetaspaceOptions read_metaspace(const JsonPart& json) {
    MetaspaceOptions options;
    options.replacement = json.text("replacement", options.replacement);
    if (options.replacement.empty() ||
        utf8_length(options.replacement.front()) != options.replacement.size()) {
        json.malformed("should have one character as \"replacement\"");
    }
    options.prepend = read_prepend(json);
    options.split = json.flag("split", true);
    return options;
}

MetaspacePreTokenizer::MetaspacePreTokenizer(MetaspaceOptions options)
    : options_(std::move(options)) {}

void MetaspacePreTokenizer::append_cut(const std::string& piece, PieceText& out) const {
    std::size_t begin = 0;
    const auto cut = [&](std::size_t end) {
        if (begin < end) out.pieces.push_back({out.text.size() + begin, out.text.size() + end});
        begin = end;
    };
    if (options_.split) {
        for (std::size_t i = piece.find(options_.replacement); i != std::string::npos;
             i = piece.find(options_.replacement, i + options_.replacement.size())) {
            cut(i);
        }
    }
    cut(piece.size());
    out.text += piece;
}

void MetaspacePreTokenizer::apply(PieceText& text, RegexScratch&) const {
    using Prepend = MetaspaceOptions::Prepend;
    PieceText result{.text = {}, .pieces = {}, .is_text_start = text.is_text_start};
    for (const TextRange range : text.pieces) {
        std::string piece =
            replace_spaces(std::string_view(text.text).substr(range.begin, range.end - range.begin),
                           options_.replacement);
        const bool is_first = text.is_text_start && range.begin == 0;
        const bool is_wanted =
            options_.prepend == Prepend::Always || (options_.prepend == Prepend::First && is_first);
        if (is_wanted && !piece.starts_with(options_.replacement)) {
            piece.insert(0, options_.replacement);
        }
        append_cut(piece, result);
    }
    text = std::move(result);
}

}  // namespace espalier
