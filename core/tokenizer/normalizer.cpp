#include "tokenizer/normalizer.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <unicode/bytestream.h>
#include <unicode/uchar.h>
#include <utility>
#include <vector>

#include <unicode/normalizer2.h>

#include "base/error.h"
#include "tokenizer/text_pattern.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8_cursor.h"

namespace espalier {
namespace {

constexpr int kMaxDepth = 16;

class NormalizerSequence : public Normalizer {
public:
    explicit NormalizerSequence(std::vector<std::unique_ptr<const Normalizer>> members)
        : members_(std::move(members)) {}
    void apply(std::string& text, RegexScratch& scratch) const override {
        for (const auto& member : members_) member->apply(text, scratch);
    }

private:
    std::vector<std::unique_ptr<const Normalizer>> members_;
};

class UnicodeForm : public Normalizer {
public:
    explicit UnicodeForm(std::string_view type) {
        UErrorCode status = U_ZERO_ERROR;
        form_ = type == "NFC"    ? icu::Normalizer2::getNFCInstance(status)
                : type == "NFD"  ? icu::Normalizer2::getNFDInstance(status)
                : type == "NFKC" ? icu::Normalizer2::getNFKCInstance(status)
                                 : icu::Normalizer2::getNFKDInstance(status);
        if (U_FAILURE(status)) {
            throw Error(ErrorCode::FileUnsupported,
                        fmt::format("ICU offers no {}: {}.", type, u_errorName(status)),
                        "Reinstall the ICU library.");
        }
    }

    void apply(std::string& text, RegexScratch&) const override {
        const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
        if (std::all_of(text.begin(), text.end(), is_ascii)) return;
        std::string result;
        result.reserve(text.size());
        icu::StringByteSink<std::string> sink(&result);
        UErrorCode status = U_ZERO_ERROR;
        form_->normalizeUTF8(0,
                             icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())),
                             sink, nullptr, status);
        if (U_FAILURE(status)) {
            throw Error(ErrorCode::DataLine,
                        fmt::format("A text of {} bytes cannot be normalised: {}.", text.size(),
                                    u_errorName(status)),
                        "Cut it into smaller documents.");
        }
        text = std::move(result);
    }

private:
    const icu::Normalizer2* form_ = nullptr;  // ICU's own, for ever
};

class Lowercase : public Normalizer {
public:
    void apply(std::string& text, RegexScratch&) const override {
        std::string result;
        result.reserve(text.size());
        for (std::size_t i = 0; i < text.size();) {
            const char32_t c = next_code_point(text, i);
            append_utf8(result, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
            if (c == 0x130) append_utf8(result, 0x307);  // İ, the only one that becomes two
        }
        text = std::move(result);
    }
};

class Strip : public Normalizer {
public:
    Strip(bool left, bool right) : left_(left), right_(right) {}
    void apply(std::string& text, RegexScratch&) const override {
        std::size_t end = text.size();
        while (right_ && end > 0) {
            const std::size_t start = previous_character(text, end);
            std::size_t i = start;
            if (!is_white_space(next_code_point(text, i))) break;
            end = start;
        }
        text.resize(end);
        std::size_t begin = 0;
        while (left_ && begin < text.size()) {
            std::size_t next = begin;
            if (!is_white_space(next_code_point(text, next))) break;
            begin = next;
        }
        text.erase(0, begin);
    }

private:
    bool left_;
    bool right_;
};

class Prepend : public Normalizer {
public:
    explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
    void apply(std::string& text, RegexScratch&) const override {
        if (!text.empty()) text.insert(0, prefix_);
    }

private:
    std::string prefix_;
};

class Replace : public Normalizer {
public:
    Replace(TextPattern pattern, std::string content)
        : pattern_(std::move(pattern)), content_(std::move(content)) {}
    void apply(std::string& text, RegexScratch& scratch) const override {
        text = pattern_.replace_all(text, content_, scratch);
    }

private:
    TextPattern pattern_;
    std::string content_;
};

std::unique_ptr<const Normalizer> make(const JsonPart& json, int depth) {
    if (depth > kMaxDepth) json.unsupported("sequences nested too deeply");
    const std::string type = json.text("type");
    if (type == "Sequence") {
        std::vector<std::unique_ptr<const Normalizer>> members;
        for (const JsonPart& member : json.items("normalizers")) {
            members.push_back(make(member, depth + 1));
        }
        return std::make_unique<NormalizerSequence>(std::move(members));
    }
    if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
        return std::make_unique<UnicodeForm>(type);
    }
    if (type == "Lowercase") return std::make_unique<Lowercase>();
    if (type == "Strip") {
        return std::make_unique<Strip>(json.flag("strip_left", true),
                                       json.flag("strip_right", true));
    }
    if (type == "Prepend") return std::make_unique<Prepend>(json.text("prepend"));
    if (type == "Replace") {
        return std::make_unique<Replace>(TextPattern(json.at("pattern")), json.text("content"));
    }
    json.unsupported(fmt::format("unknown normalizer \"{}\"", type));
}

}  // namespace

std::unique_ptr<const Normalizer> make_normalizer(const JsonPart& json) { return make(json, 0); }

}  // namespace espalier
