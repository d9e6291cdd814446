#include <QTest>
#include <filesystem>
#include <fmt/format.h>
#include <string>

#include "base/json.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_tokenizer.h"
#include "tokenizer/tokenizer.h"

using namespace espalier;

namespace {

const std::filesystem::path kGolden = ESPALIER_TEST_DATA;
const char* const kCases[] = {"gpt2",         "qwen3",   "llama3", "deepseek_v3",
                              "deepseek_llm", "gpt_oss", "llama2", "mistral"};

GgufFile vocab_of(const std::string& name) {
    return GgufFile(kGolden / "gguf/vocab" / (name + ".vocab.gguf"));
}

void add_rows() {
    QTest::addColumn<QString>("name");
    for (const char* name : kCases) QTest::newRow(name) << QString(name);
}

}  // namespace

class TestGgufTokenizerIds : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void gives_the_ids_of_llama_cpp_data() { add_rows(); }

    void gives_the_ids_of_llama_cpp() {
        QFETCH(QString, name);
        const GgufFile golden = vocab_of(name.toStdString());
        const Tokenizer tokenizer(tokenizer_from_gguf(golden.metadata()).tokenizer);
        const Json cases = read_json_file(kGolden / "gguf/vocab" / (name.toStdString() + ".json"));
        int compared = 0;
        for (const Json& item : cases) {
            if (item.value("hf_differs", false)) continue;  // llama.cpp itself is off there
            const auto text = item["text"].get<std::string>();
            const auto ids = tokenizer.encode(text, false);
            QVERIFY2(Json(ids) == item["ids"],
                     fmt::format("{}: {} instead of {}", item["text"].dump(), Json(ids).dump(),
                                 item["ids"].dump())
                         .c_str());
            ++compared;
        }
        QVERIFY(compared > 100);
    }

    void decodes_as_the_original_tokenizer_data() { add_rows(); }

    void decodes_as_the_original_tokenizer() {
        QFETCH(QString, name);
        const Tokenizer original(
            read_json_file(kGolden / "tokenizers" / name.toStdString() / "tokenizer.json"));
        const Tokenizer read_back(
            tokenizer_from_gguf(vocab_of(name.toStdString()).metadata()).tokenizer);
        const std::string text = "Hello wörld, 12345 tests!\n\tx = f(y) # done";
        const auto ids = original.encode(text);
        QCOMPARE(read_back.encode(text), ids);
        QCOMPARE(read_back.decode(ids), original.decode(ids));
        QCOMPARE(read_back.decode(ids, true), original.decode(ids, true));
    }
};

QTEST_APPLESS_MAIN(TestGgufTokenizerIds)
#include "tst_gguf_tokenizer_ids.moc"
