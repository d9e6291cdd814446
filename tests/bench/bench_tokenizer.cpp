// Speed of the tokenizers, on one thread: bench_tokenizer [TOKENIZER.json...]
// Megabytes a second on code and on prose; seconds for one word of a quarter, a half and a whole
// megabyte, which should double with its length.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/rng.h"
#include "tokenizer/tokenizer.h"

namespace {

using espalier::Tokenizer;

constexpr std::size_t kWordBytes = 1'000'000;

std::string sample_text(const char* name) {
    const espalier::MappedFile file(std::string(ESPALIER_SAMPLE "/calibration/") + name + ".txt");
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// Letters as they come.
std::string random_word(std::size_t size) {
    espalier::Rng rng(1);
    std::string word(size, 'a');
    for (char& letter : word) letter = static_cast<char>('a' + rng.next() % 26);
    return word;
}

std::string random_digits(std::size_t size) {
    espalier::Rng rng(2);
    std::string word(size, '0');
    for (char& digit : word) digit = static_cast<char>('0' + rng.next() % 10);
    return word;
}

/// The best of a few turns, each with a tokenizer that has seen no text yet: it remembers pieces.
double seconds_to_encode(const espalier::Json& json, const std::string& text) {
    constexpr int kTurns = 3;
    double best = 1e9;
    for (int turn = 0; turn < kTurns; ++turn) {
        const Tokenizer tokenizer(json);
        const auto start = std::chrono::steady_clock::now();
        const auto ids = tokenizer.encode(text);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    return best;
}

std::string growth(const espalier::Json& json, const std::string& word) {
    std::string cell;
    for (const std::size_t part : {4, 2, 1}) {
        cell += fmt::format("{}{:.3f}", cell.empty() ? "" : " / ",
                            seconds_to_encode(json, word.substr(0, word.size() / part)));
    }
    return cell;
}

void measure(const std::string& name, const std::filesystem::path& path) {
    const espalier::Json json = espalier::read_json_file(path);
    const auto speed = [&](const char* text_name) {
        const std::string text = sample_text(text_name);
        return static_cast<double>(text.size()) / 1e6 / seconds_to_encode(json, text);
    };
    const double python = speed("python");
    const double cpp = speed("cpp");
    const double prose = speed("prose");
    fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.1f} | {} | {} | {} |\n", name,
               json.at("model").at("vocab").size(), python, cpp, prose,
               growth(json, random_word(kWordBytes)), growth(json, std::string(kWordBytes, 'a')),
               growth(json, random_digits(kWordBytes)));
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        fmt::print(
            "| tokenizer | tokens | python, MB/s | C++, MB/s | prose, MB/s | random letters, s for "
            "0.25 / 0.5 / 1 MB | one letter | digits |\n|---|---|---|---|---|---|---|---|\n");
        if (argc > 1) {
            for (int i = 1; i < argc; ++i) measure(argv[i], argv[i]);
            return 0;
        }
        measure("sample", ESPALIER_SAMPLE "/model/tokenizer.json");
        for (const char* kind : {"gpt2", "qwen3", "llama3", "deepseek_v3", "deepseek_llm",
                                 "gpt_oss", "llama2", "mistral", "gemma", "unigram"}) {
            measure(kind, fmt::format(ESPALIER_TEST_DATA "/tokenizers/{}/tokenizer.json", kind));
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
    return 0;
}
