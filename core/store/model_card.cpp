#include "store/model_card.h"

#include <fstream>
#include <map>
#include <string_view>
#include <system_error>

#include "base/utf8.h"

namespace espalier {
namespace fs = std::filesystem;
namespace {

constexpr int kMostLines = 200;
constexpr std::size_t kMostLetters = 100;

std::string trimmed(std::string_view text) {
    constexpr std::string_view kAround = " \t\r\"'";
    const auto first = text.find_first_not_of(kAround);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(kAround) - first + 1));
}

/// The plain `key: value` lines between the two `---` at the head; what is nested is not needed.
std::map<std::string, std::string> head_of(const fs::path& card) {
    std::map<std::string, std::string> head;
    std::ifstream file(card);
    std::string line;
    if (!std::getline(file, line) || !line.starts_with("---")) return head;
    for (int number = 0; number < kMostLines && std::getline(file, line); ++number) {
        if (line.starts_with("---")) break;
        const auto colon = line.find(':');
        if (colon == std::string::npos || line.front() == ' ' || line.front() == '-') continue;
        head[line.substr(0, colon)] = trimmed(std::string_view(line).substr(colon + 1));
    }
    return head;
}

}  // namespace

std::string licence_of(const fs::path& folder) {
    const auto head = head_of(folder / "README.md");
    const auto value = [&](const char* key) {
        const auto found = head.find(key);
        return found == head.end() ? std::string() : found->second;
    };
    std::string licence = value("license");
    if (licence.empty() || licence == "other") {
        if (std::string name = value("license_name"); !name.empty()) licence = name;
    }
    if (!licence.empty()) return replace_invalid_utf8(licence.substr(0, kMostLetters));
    std::error_code ignored;
    for (const char* file : {"LICENSE", "LICENSE.txt"}) {
        if (fs::is_regular_file(folder / file, ignored)) return file;
    }
    return {};
}

}  // namespace espalier
