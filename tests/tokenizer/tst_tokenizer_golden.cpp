#include <QTest>

#include "golden.h"

using espalier::Json;
using espalier::StreamingDecoder;
using espalier::TokenId;
using espalier::Tokenizer;

namespace {

using Ids = std::vector<TokenId>;

void add_kinds() {
    QTest::addColumn<QString>("kind");
    for (const char* kind : {"gpt2", "qwen3", "llama3", "deepseek_v3", "deepseek_llm", "gpt_oss",
                             "llama2", "mistral", "gemma", "unigram"}) {
        QTest::addRow("%s", kind) << QString::fromLatin1(kind);
    }
}

Json cases(const QString& kind, const char* file) {
    return read_golden("tokenizers/" + kind.toStdString() + "/" + file);
}

}  // namespace

/// Ids and texts must equal those of the reference implementation, tokenizers 0.23.1.
class TokenizerGoldenTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void encodes_as_the_reference_data() { add_kinds(); }
    void encodes_as_the_reference() {
        QFETCH(QString, kind);
        const Tokenizer tokenizer = golden_tokenizer(kind.toStdString());
        for (const Json& c : cases(kind, "cases.json")) {
            const auto text = c.at("text").get<std::string>();
            const Ids ids = tokenizer.encode(text, false);
            QVERIFY2(ids == c.at("ids").get<Ids>(), quoted(Json(ids)) + " for " + quoted(c));
            const Ids with_special = tokenizer.encode(text);
            QVERIFY2(with_special == c.at("ids_with_special").get<Ids>(), quoted(c));
        }
    }

    void decodes_as_the_reference_data() { add_kinds(); }
    void decodes_as_the_reference() {
        QFETCH(QString, kind);
        const Tokenizer tokenizer = golden_tokenizer(kind.toStdString());
        const auto check = [&](const Json& c, const char* ids_key) {
            const Ids ids = c.at(ids_key).get<Ids>();
            const std::string kept = tokenizer.decode(ids);
            QVERIFY2(kept == c.at("decoded").get<std::string>(), quoted(Json(kept)) + quoted(c));
            const std::string skipped = tokenizer.decode(ids, true);
            QVERIFY2(skipped == c.at("decoded_skip").get<std::string>(), quoted(c));
        };
        for (const Json& c : cases(kind, "cases.json")) check(c, "ids_with_special");
        for (const Json& c : cases(kind, "decode_cases.json")) check(c, "ids");
    }

    void streams_as_the_reference_data() { add_kinds(); }
    void streams_as_the_reference() {
        QFETCH(QString, kind);
        const Tokenizer tokenizer = golden_tokenizer(kind.toStdString());
        for (const Json& c : cases(kind, "decode_cases.json")) {
            if (c.contains("stream_error")) continue;
            StreamingDecoder decoder(tokenizer, false);
            Json stream = Json::array();
            for (const TokenId id : c.at("ids").get<Ids>()) {
                const std::string chunk = decoder.push(id);
                stream.push_back(chunk.empty() ? Json() : Json(chunk));
            }
            QVERIFY2(stream == c.at("stream"), quoted(stream) + " for " + quoted(c));
        }
    }
};

QTEST_APPLESS_MAIN(TokenizerGoldenTest)
#include "tst_tokenizer_golden.moc"
