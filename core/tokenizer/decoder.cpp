#include "tokenizer/decoder.h"

#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/text_pattern.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr int kMaxDepth = 16;

std::string join(const std::vector<std::string>& tokens) {
    std::string text;
    for (const std::string& token : tokens) text += token;
    return text;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    std::size_t done = 0;
    for (std::size_t i = text.find(from); i != std::string_view::npos; i = text.find(from, done)) {
        result += text.substr(done, i - done);
        result += to;
        done = i + from.size();
    }
    result += text.substr(done);
    return result;
}

class DecoderSequence : public Decoder {
public:
    explicit DecoderSequence(std::vector<std::unique_ptr<const Decoder>> members)
        : members_(std::move(members)) {}
    void apply(std::vector<std::string>& tokens) const override {
        for (const auto& member : members_) member->apply(tokens);
    }

private:
    std::vector<std::unique_ptr<const Decoder>> members_;
};

class ByteLevelDecoder : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::string bytes;
        for (const std::string& token : tokens) {
            if (!append_bytes_of(bytes, token)) bytes += token;
        }
        tokens = {replace_invalid_utf8(bytes)};
    }
};

class FuseDecoder : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override { tokens = {join(tokens)}; }
};

class ReplaceDecoder : public Decoder {
public:
    ReplaceDecoder(TextPattern pattern, std::string content)
        : pattern_(std::move(pattern)), content_(std::move(content)) {}
    void apply(std::vector<std::string>& tokens) const override {
        RegexScratch scratch;
        for (std::string& token : tokens) token = pattern_.replace_all(token, content_, scratch);
    }

private:
    TextPattern pattern_;
    std::string content_;
};

/// The byte that <0xHH> names.
std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
    if (error != std::errc() || end != token.data() + 5) return std::nullopt;
    return static_cast<char>(value);
}

class ByteFallbackDecoder : public Decoder {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::vector<std::string> result;
        std::string run;
        const auto flush = [&] {
            if (run.empty()) return;
            if (is_valid_utf8(run)) {
                result.push_back(run);
            } else {
                result.insert(result.end(), run.size(), "\xEF\xBF\xBD");
            }
            run.clear();
        };
        for (std::string& token : tokens) {
            if (const auto byte = byte_of(token)) {
                run += *byte;
            } else {
                flush();
                result.push_back(std::move(token));
            }
        }
        flush();
        tokens = std::move(result);
    }
};

class StripDecoder : public Decoder {
public:
    StripDecoder(std::string content, std::size_t start, std::size_t stop)
        : content_(std::move(content)), start_(start), stop_(stop) {}
    void apply(std::vector<std::string>& tokens) const override {
        for (std::string& token : tokens) {
            std::string_view rest = token;
            for (std::size_t i = 0; i < start_ && rest.starts_with(content_); ++i) {
                rest.remove_prefix(content_.size());
            }
            for (std::size_t i = 0; i < stop_ && rest.ends_with(content_); ++i) {
                rest.remove_suffix(content_.size());
            }
            token = std::string(rest);
        }
    }

private:
    std::string content_;
    std::size_t start_;
    std::size_t stop_;
};

class MetaspaceDecoder : public Decoder {
public:
    explicit MetaspaceDecoder(MetaspaceOptions options) : options_(std::move(options)) {}
    void apply(std::vector<std::string>& tokens) const override {
        bool drops = options_.prepend != MetaspaceOptions::Prepend::Never;
        for (std::string& token : tokens) {
            token = replace_all(token, options_.replacement, drops ? "" : " ");
            drops = false;
        }
    }

private:
    MetaspaceOptions options_;
};

/// The suffix that marks the end of a word becomes a space, but not at the end.
class SuffixDecoder : public Decoder {
public:
    explicit SuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
    void apply(std::vector<std::string>& tokens) const override {
        if (suffix_.empty()) return;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            tokens[i] = replace_all(tokens[i], suffix_, i + 1 < tokens.size() ? " " : "");
        }
    }

private:
    std::string suffix_;
};

std::unique_ptr<const Decoder> make_strip(const JsonPart& json) {
    constexpr std::int64_t kLimit = 1 << 20;
    const std::string content = json.text("content");
    if (content.empty() || utf8_length(content.front()) != content.size()) {
        json.malformed("should have one character as \"content\"");
    }
    return std::make_unique<StripDecoder>(content,
                                          static_cast<std::size_t>(json.index("start", kLimit)),
                                          static_cast<std::size_t>(json.index("stop", kLimit)));
}

std::unique_ptr<const Decoder> make(const JsonPart& json, int depth) {
    if (depth > kMaxDepth) json.unsupported("sequences nested too deeply");
    const std::string type = json.text("type");
    if (type == "Sequence") {
        std::vector<std::unique_ptr<const Decoder>> members;
        for (const JsonPart& member : json.items("decoders")) {
            members.push_back(make(member, depth + 1));
        }
        return std::make_unique<DecoderSequence>(std::move(members));
    }
    if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
    if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
    if (type == "Fuse") return std::make_unique<FuseDecoder>();
    if (type == "Strip") return make_strip(json);
    if (type == "Metaspace") return std::make_unique<MetaspaceDecoder>(read_metaspace(json));
    if (type == "BPEDecoder") return std::make_unique<SuffixDecoder>(json.text("suffix", "</w>"));
    if (type == "Replace") {
        return std::make_unique<ReplaceDecoder>(TextPattern(json.at("pattern")),
                                                json.text("content"));
    }
    json.unsupported(fmt::format("unknown decoder \"{}\"", type));
}

}  // namespace

std::unique_ptr<const Decoder> make_decoder(const JsonPart& json) { return make(json, 0); }

}  // namespace espalier
