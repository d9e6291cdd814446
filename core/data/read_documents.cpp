#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/utf8.h"
#include "data/dataset.h"
#include "tokenizer/chat_template.h"

namespace espalier {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// One line of a file, for errors.
struct LinePlace {
    std::string file;
    std::size_t line;
};

[[noreturn]] void fail(const LinePlace& place, std::string_view what) {
    throw Error(
        ErrorCode::DataLine, fmt::format("{}, line {}: {}.", place.file, place.line, what),
        "Each line should be an object with \"text\" or \"messages\"; repair or remove it.");
}

const Json& field(const Json& object, const char* key, const LinePlace& place,
                  std::string_view owner) {
    const auto found = object.find(key);
    if (found == object.end()) fail(place, fmt::format("{} lacks \"{}\"", owner, key));
    return *found;
}

void check_messages(const Json& messages, const LinePlace& place) {
    if (!messages.is_array() || messages.empty()) {
        fail(place, "\"messages\" should be a list that is not empty");
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const std::string name = fmt::format("\"messages\"[{}]", i);
        if (!messages[i].is_object()) fail(place, name + " should be an object");
        if (!field(messages[i], "role", place, name).is_string()) {
            fail(place, name + " should have a string as \"role\"");
        }
        // Calls of tools come without content, and content may come in parts.
        const bool has_content =
            messages[i].contains("content") &&
            (messages[i]["content"].is_string() || messages[i]["content"].is_array());
        if (!has_content && !messages[i].contains("tool_calls")) {
            fail(place, name + " should have a string as \"content\"");
        }
    }
}

class JsonLines {
public:
    JsonLines(std::string file, std::string_view chat_template, const Json& tokenizer_config)
        : place_{std::move(file), 0},
          template_source_(chat_template),
          tokenizer_config_(tokenizer_config) {}

    /// The text of the next line; nothing for a blank one.
    std::optional<std::string> read(std::string_view line) {
        ++place_.line;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) return std::nullopt;
        const Json object = parse(line);
        if (!object.is_object()) fail(place_, "it should be an object");
        if (const auto text = object.find("text"); text != object.end()) {
            if (!text->is_string()) fail(place_, "\"text\" should be a string");
            return text->get<std::string>();
        }
        if (!object.contains("messages")) fail(place_, "it has neither \"text\" nor \"messages\"");
        return render(object);
    }

private:
    Json parse(std::string_view line) const {
        try {
            return parse_json(line, fmt::format("{}, line {},", place_.file, place_.line));
        } catch (const Error& error) {
            throw Error(ErrorCode::DataLine, error.what(), "Repair or remove the line.");
        }
    }

    std::string render(const Json& object) {
        check_messages(object["messages"], place_);
        if (!template_) template_.emplace(template_source_, tokenizer_config_);
        ChatTemplate::Request request;
        request.messages = object["messages"];
        request.add_generation_prompt = false;
        if (const auto tools = object.find("tools"); tools != object.end()) request.tools = *tools;
        try {
            return template_->render(request);
        } catch (const Error& error) {
            fail(place_, fmt::format("the chat template cannot render it: {}", error.what()));
        }
    }

    LinePlace place_;
    std::string_view template_source_;
    const Json& tokenizer_config_;
    std::optional<ChatTemplate> template_;
};

bool is_json_lines(const std::filesystem::path& path) {
    const std::string ending = path.extension().string();
    return ending == ".jsonl" || ending == ".ndjson" || ending == ".json";
}

std::string plain_text(std::string_view bytes, const std::string& file) {
    if (is_valid_utf8(bytes)) return std::string(bytes);
    LinePlace place{file, 1};
    for (; !bytes.empty(); ++place.line) {
        const std::string_view line = bytes.substr(0, bytes.find('\n'));
        if (!is_valid_utf8(line)) break;
        bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
    }
    throw Error(ErrorCode::DataLine,
                fmt::format("{}, line {}: the text is not UTF-8.", place.file, place.line),
                "Convert the file to UTF-8.");
}

}  // namespace

std::vector<Document> read_documents(const DataSource& source, std::string_view chat_template,
                                     const Json& tokenizer_config) {
    const MappedFile mapped(source.path);
    std::string_view bytes(reinterpret_cast<const char*>(mapped.bytes().data()),
                           mapped.bytes().size());
    const std::string file = source.path.string();
    const std::string task = source.task.empty() ? source.path.stem().string() : source.task;
    std::vector<Document> documents;
    if (!is_json_lines(source.path)) {
        if (!bytes.empty()) documents.push_back({plain_text(bytes, file), task});
    } else {
        if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
        JsonLines lines(file, chat_template, tokenizer_config);
        while (!bytes.empty()) {
            const std::string_view line = bytes.substr(0, bytes.find('\n'));
            auto text = lines.read(line);
            if (text && !text->empty()) documents.push_back({*std::move(text), task});
            bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
        }
    }
    if (documents.empty()) {
        throw Error(ErrorCode::DataEmpty, fmt::format("{} holds no text.", file),
                    "Choose a file with text in it.");
    }
    return documents;
}

}  // namespace espalier
