#include "model/config_from_gguf.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "formats/file_error.h"
#include "model/check_config.h"
#include "model/families/architecture_readers.h"

namespace espalier {
namespace {

struct Architecture {
    std::string_view name;
    MoeConfig (*read)(GgufKeyReader&);
};

constexpr std::array kArchitectures{
    Architecture{"llama", read_gguf_llama},
    Architecture{"qwen2moe", read_gguf_qwen2moe},
    Architecture{"qwen3moe", read_gguf_qwen3moe},
    Architecture{"qwen3next", read_gguf_qwen3next},
    Architecture{"qwen35moe", read_gguf_qwen35moe},
    Architecture{"olmoe", read_gguf_olmoe},
    Architecture{"gpt-oss", read_gguf_gpt_oss},
    Architecture{"deepseek2", read_gguf_deepseek2},
    Architecture{"glm4moe", read_gguf_glm4moe},
    Architecture{"granitemoe", read_gguf_granitemoe},
    Architecture{"lfm2moe", read_gguf_lfm2moe},
};

}  // namespace

MoeConfig config_from_gguf(const GgufSet& files) {
    const std::string architecture = files.metadata().text_or("general.architecture", "");
    GgufKeyReader reader(files, architecture);
    const std::string type = files.metadata().text_or("general.type", "model");
    if (architecture.empty() || type != "model") {
        throw reader.unknown(fmt::format("it holds no model but {}", in_quotes(type)));
    }
    const auto* const found =
        std::find_if(kArchitectures.begin(), kArchitectures.end(),
                     [&](const Architecture& row) { return row.name == architecture; });
    if (found == kArchitectures.end()) {
        throw reader.unknown(
            fmt::format("the architecture {} is not known", in_quotes(architecture)));
    }
    MoeConfig config = found->read(reader);
    reader.refuse_unread();
    check_config(config, files.path().filename().string());
    return config;
}

}  // namespace espalier
