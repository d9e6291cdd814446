#include <QTest>
#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_tokenizer.h"
#include "formats/split_rules.h"

using namespace espalier;

namespace {

const std::filesystem::path kGolden = ESPALIER_TEST_DATA;
const char* const kCases[] = {"gpt2",         "qwen3",   "llama3", "deepseek_v3",
                              "deepseek_llm", "gpt_oss", "llama2", "mistral"};

TokenizerFiles files_of(const std::filesystem::path& folder) {
    TokenizerFiles files;
    files.tokenizer = read_json_file(folder / "tokenizer.json");
    files.config = read_json_file(folder / "tokenizer_config.json");
    if (files.config.contains("chat_template")) {
        files.chat_template = files.config["chat_template"].get<std::string>();
    }
    return files;
}

GgufFile vocab_of(const std::string& name) {
    return GgufFile(kGolden / "gguf/vocab" / (name + ".vocab.gguf"));
}

Json json_of(const GgufValue& value) {
    return std::visit(
        [](const auto& content) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(content)>, GgufArray>) {
                return std::visit([](const auto& items) { return Json(items); }, content);
            } else {
                return content;
            }
        },
        value);
}

void add_rows() {
    QTest::addColumn<QString>("name");
    for (const char* name : kCases) QTest::newRow(name) << QString(name);
}

/// The vocabulary files were made without the converter's rule that "<|fim_prefix|>" and its like
/// are control tokens even if tokenizer.json does not say so.
bool are_same_types(const GgufMetadata& actual, const GgufMetadata& expected) {
    const auto& tokens = *expected.array<std::string>("tokenizer.ggml.tokens");
    const auto& ours = *actual.array<std::int32_t>("tokenizer.ggml.token_type");
    const auto& theirs = *expected.array<std::int32_t>("tokenizer.ggml.token_type");
    if (ours.size() != theirs.size()) return false;
    for (std::size_t id = 0; id < ours.size(); ++id) {
        const bool is_mark = tokens[id].starts_with("<|") || tokens[id].starts_with("<\uff5c");
        const bool may_differ = is_mark && ours[id] == 3 && theirs[id] == 4;
        if (ours[id] != theirs[id] && !may_differ) return false;
    }
    return true;
}

/// The keys of `expected` that begin with "tokenizer." must stand in `actual` with equal values.
void compare_tokenizer_keys(const GgufMetadata& actual, const GgufMetadata& expected) {
    for (const auto& [key, value] : expected.entries()) {
        if (!key.starts_with("tokenizer.")) continue;
        const GgufValue* found = actual.find(key);
        QVERIFY2(found != nullptr, key.c_str());
        if (*found == value) continue;
        if (key == "tokenizer.ggml.token_type" && are_same_types(actual, expected)) continue;
        QFAIL(fmt::format("{}: {} instead of {}", key, json_of(*found).dump().substr(0, 200),
                          json_of(value).dump().substr(0, 200))
                  .c_str());
    }
}

GgufMetadata keys_of(const TokenizerFiles& files, std::size_t vocab_size) {
    GgufMetadata metadata;
    add_gguf_tokenizer(metadata, files, static_cast<std::int64_t>(vocab_size));
    return metadata;
}

TokenizerFiles gpt2_files() { return files_of(kGolden / "tokenizers/gpt2"); }

}  // namespace

class TestGgufTokenizer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void writes_the_keys_of_the_reference_converter_data() { add_rows(); }

    void writes_the_keys_of_the_reference_converter() {
        QFETCH(QString, name);
        const GgufFile golden = vocab_of(name.toStdString());
        const auto* tokens = golden.metadata().array<std::string>("tokenizer.ggml.tokens");
        const TokenizerFiles files = files_of(kGolden / "tokenizers" / name.toStdString());
        compare_tokenizer_keys(keys_of(files, tokens->size()), golden.metadata());
    }

    void keys_survive_the_way_back_data() { add_rows(); }

    void keys_survive_the_way_back() {
        QFETCH(QString, name);
        const GgufFile golden = vocab_of(name.toStdString());
        const auto* tokens = golden.metadata().array<std::string>("tokenizer.ggml.tokens");
        const TokenizerFiles files = tokenizer_from_gguf(golden.metadata());
        compare_tokenizer_keys(keys_of(files, tokens->size()), golden.metadata());
    }

    void fills_open_ids_from_the_model_config() {
        const auto folder = kGolden / "gguf/models/qwen3moe";
        GgufMetadata metadata = keys_of(files_of(folder / "hf"), 320);
        QVERIFY(metadata.find("tokenizer.ggml.bos_token_id") == nullptr);
        add_gguf_special_ids(metadata, read_json_file(folder / "hf/config.json"));
        const Json manifest = read_json_file(folder / "manifest.json");
        int compared = 0;
        for (const Json& row : manifest["metadata_f32"]) {
            const auto key = row["key"].get<std::string>();
            if (!key.starts_with("tokenizer.")) continue;
            QVERIFY2(metadata.find(key) != nullptr, key.c_str());
            QVERIFY2(json_of(*metadata.find(key)) == row["value"], key.c_str());
            ++compared;
        }
        QCOMPARE(compared, 12);
    }

    void further_end_tokens_become_ends_of_turn_and_message() {
        GgufMetadata metadata;
        add_gguf_special_ids(metadata,
                             {{"eos_token_id", {7, 9, 7, 11}}, {"bos_token_id", nullptr}});
        QCOMPARE(metadata.integer("tokenizer.ggml.eos_token_id"), 7);
        QCOMPARE(metadata.integer("tokenizer.ggml.eot_token_id"), 9);
        QCOMPARE(metadata.integer("tokenizer.ggml.eom_token_id"), 11);
        QVERIFY(metadata.find("tokenizer.ggml.bos_token_id") == nullptr);
    }

    void ids_that_are_none_are_left_out() {
        GgufMetadata metadata;
        add_gguf_special_ids(
            metadata, {{"eos_token_id", -1}, {"pad_token_id", "x"}, {"bos_token_id", 1ULL << 40}});
        QVERIFY(metadata.entries().empty());
    }

    void pads_the_vocabulary_to_the_embedding() {
        const GgufMetadata metadata = keys_of(gpt2_files(), 1030);
        const auto* tokens = metadata.array<std::string>("tokenizer.ggml.tokens");
        QCOMPARE(tokens->size(), std::size_t{1030});
        QCOMPARE(tokens->at(1029), std::string("[PAD1029]"));
        QCOMPARE(metadata.array<std::int32_t>("tokenizer.ggml.token_type")->at(1029), 5);
    }

    void keeps_the_chat_template() {
        TokenizerFiles files = gpt2_files();
        files.chat_template = "{{ messages }}";
        const GgufMetadata metadata = keys_of(files, 1024);
        QCOMPARE(tokenizer_from_gguf(metadata).chat_template, files.chat_template);
    }

    void refuses_what_gguf_cannot_say_data() {
        QTest::addColumn<QString>("pointer");
        QTest::addColumn<QString>("value");
        QTest::newRow("unigram") << "/model/type"
                                 << "\"Unigram\"";
        QTest::newRow("unknown split") << "/pre_tokenizer"
                                       << "{\"type\": \"Whitespace\"}";
        QTest::newRow("no split") << "/pre_tokenizer"
                                  << "null";
        QTest::newRow("lower case") << "/normalizer"
                                    << "{\"type\": \"Lowercase\"}";
        QTest::newRow("word ends") << "/model/end_of_word_suffix"
                                   << "\"</w>\"";
    }

    void refuses_what_gguf_cannot_say() {
        QFETCH(QString, pointer);
        QFETCH(QString, value);
        TokenizerFiles files = gpt2_files();
        files.tokenizer[Json::json_pointer(pointer.toStdString())] =
            parse_json(value.toStdString(), "value");
        try {
            keys_of(files, 1024);
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::GgufInexpressible);
        }
    }

    void refuses_a_vocabulary_larger_than_the_embedding() {
        try {
            keys_of(gpt2_files(), 1000);
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::ArchConfig);
        }
    }

    void rejects_broken_keys_data() {
        QTest::addColumn<int>("broken");
        for (int i = 0; i < 7; ++i) QTest::addRow("%d", i) << i;
    }

    void rejects_broken_keys() {
        QFETCH(int, broken);
        GgufMetadata metadata = vocab_of(broken < 5 ? "gpt2" : "llama2").metadata();
        if (broken == 0) metadata.erase("tokenizer.ggml.tokens");
        if (broken == 1)
            metadata.set("tokenizer.ggml.token_type", GgufArray(std::vector<std::int32_t>{1}));
        if (broken == 2) metadata.set("tokenizer.ggml.bos_token_id", std::uint32_t{99999});
        if (broken == 3) metadata.erase("tokenizer.ggml.merges");
        if (broken == 4) metadata.set("tokenizer.ggml.pre", std::string("of-tomorrow"));
        if (broken == 5) metadata.erase("tokenizer.ggml.scores");
        if (broken == 6) metadata.set("tokenizer.ggml.model", std::string("bert"));
        QVERIFY_THROWS_EXCEPTION(Error, tokenizer_from_gguf(metadata));
    }

    void every_split_rule_is_found_again() {
        for (const char* name :
             {"gpt-2", "qwen2", "llama-bpe", "glm4", "gpt-4o", "deepseek-v3", "deepseek-llm"}) {
            const SplitRule* rule = find_split_rule(name);
            QVERIFY(rule != nullptr);
            QCOMPARE(find_split_rule(pre_tokenizer_json(*rule), rule->ignore_merges), rule);
        }
    }
};

QTEST_APPLESS_MAIN(TestGgufTokenizer)
#include "tst_gguf_tokenizer.moc"
