#include "app/cli/print.h"

#include <cstdio>
#include <fmt/format.h>

#include "tokenizer/chat_template.h"

namespace espalier::cli {

std::string json_line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void print_json(const Json& json) {
    fmt::print("{}\n", json_line(json));
    std::fflush(stdout);
}

Json error_json(const Error& error) {
    Json json = {
        {"code", code_text(error.code())}, {"message", error.what()}, {"hint", error.hint()}};
    if (const auto* fault = dynamic_cast<const ChatTemplateError*>(&error)) {
        json["kind"] = fault->kind();
        json["message"] = fault->detail();
    }
    return json;
}

}  // namespace espalier::cli
