#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/atomic_file.h"

namespace espalier::test {

/// A hub folder that links the files of another, but for those given as text.
inline void link_model(const std::filesystem::path& model, const std::filesystem::path& folder,
                       const std::map<std::string, std::string>& replaced) {
    std::filesystem::create_directories(folder);
    for (const auto& entry : std::filesystem::directory_iterator(model)) {
        const auto name = entry.path().filename();
        if (replaced.contains(name.string())) continue;
        std::filesystem::create_symlink(std::filesystem::canonical(entry.path()), folder / name);
    }
    for (const auto& [name, text] : replaced) write_file(folder / name, text);
}

/// A chat template that begins with the special token of tokenizer_config.json and shows what it
/// was given.
inline const std::map<std::string, std::string>& chat_files_with_bos() {
    static const std::map<std::string, std::string> files{
        {"chat_template.jinja",
         "{{ bos_token }}{{ mood }}{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}"
         "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
         "{% if add_generation_prompt %}assistant:{% endif %}"},
        {"tokenizer_config.json", R"json({"bos_token": {"content": "STARTS"}})json"}};
    return files;
}

}  // namespace espalier::test
