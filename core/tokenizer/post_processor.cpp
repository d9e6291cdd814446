#include "tokenizer/post_processor.h"

#include <fmt/format.h>
#include <utility>

#include "tokenizer/vocabulary.h"

namespace espalier {
namespace {

constexpr int kMaxDepth = 16;

TokenId read_id(const JsonPart& json, const Json& value) {
    const auto number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (number < 0 || number >= Vocabulary::kIdLimit) json.malformed("should hold token ids");
    return static_cast<TokenId>(number);
}

/// ["[SEP]", 102]
TokenId read_marker(const JsonPart& json) {
    if (!json.value().is_array() || json.value().size() != 2) {
        json.malformed("should be a pair of token and id");
    }
    return read_id(json, json.value()[1]);
}

}  // namespace

PostProcessor::PostProcessor(const JsonPart& json) { read(json, 0); }

PostProcessor::Template PostProcessor::read_template(const JsonPart& json) {
    Template result;
    for (const JsonPart& item : json.items("single")) {
        if (const auto sequence = item.find("Sequence")) {
            if (sequence->text("id") != "A") sequence->unsupported("a second text in \"single\"");
            result.emplace_back(std::nullopt);
            continue;
        }
        const JsonPart ids =
            json.at("special_tokens").at(item.at("SpecialToken").text("id")).at("ids");
        if (!ids.value().is_array()) ids.malformed("should be a list");
        for (const Json& id : ids.value()) result.emplace_back(read_id(ids, id));
    }
    return result;
}

PostProcessor::Template PostProcessor::read_pair(const JsonPart& json) {
    return {read_marker(json.at("cls")), std::nullopt, read_marker(json.at("sep"))};
}

void PostProcessor::read(const JsonPart& json, int depth) {
    if (depth > kMaxDepth) json.unsupported("sequences nested too deeply");
    const std::string type = json.text("type");
    if (type == "ByteLevel") return;  // changes offsets alone
    if (type == "Sequence") {
        for (const JsonPart& member : json.items("processors")) read(member, depth + 1);
    } else if (type == "TemplateProcessing") {
        templates_.push_back(read_template(json));
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
        templates_.push_back(read_pair(json));
    } else {
        json.unsupported(fmt::format("unknown post-processor \"{}\"", type));
    }
}

std::vector<TokenId> PostProcessor::apply(std::vector<TokenId> ids) const {
    for (const Template& around : templates_) {
        std::vector<TokenId> result;
        result.reserve(ids.size() + around.size());
        for (const auto& item : around) {
            if (item) {
                result.push_back(*item);
            } else {
                result.insert(result.end(), ids.begin(), ids.end());
            }
        }
        ids = std::move(result);
    }
    return ids;
}

}  // namespace espalier
