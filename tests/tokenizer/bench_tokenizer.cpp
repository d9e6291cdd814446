#include <QTest>

#include "base/mapped_file.h"
#include "golden.h"

using espalier::Tokenizer;

namespace {

std::string sample_text(const char* name) {
    const espalier::MappedFile file(std::string(ESPALIER_SAMPLE "/calibration/") + name + ".txt");
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

/// 0.4 MB of text a turn: 80 ms are 5 MB/s.
class TokenizerBench : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void encodes_data() {
        QTest::addColumn<QString>("kind");
        for (const char* kind : {"sample", "gpt2", "qwen3", "llama3", "deepseek_v3", "deepseek_llm",
                                 "gpt_oss", "llama2", "mistral", "gemma", "unigram"}) {
            QTest::addRow("%s", kind) << QString::fromLatin1(kind);
        }
    }
    void encodes() {
        QFETCH(QString, kind);
        const Tokenizer tokenizer =
            kind == "sample"
                ? Tokenizer(espalier::read_json_file(ESPALIER_SAMPLE "/model/tokenizer.json"))
                : golden_tokenizer(kind.toStdString());
        const std::string text = sample_text("python");
        QBENCHMARK { tokenizer.encode(text); }
    }

    void loads() {
        const auto json = espalier::read_json_file(ESPALIER_SAMPLE "/model/tokenizer.json");
        QBENCHMARK { Tokenizer{json}; }
    }
};

QTEST_APPLESS_MAIN(TokenizerBench)
#include "bench_tokenizer.moc"
