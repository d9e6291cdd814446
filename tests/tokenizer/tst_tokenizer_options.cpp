#include <QTest>

#include "golden.h"
#include "tokenizer/regex.h"
#include "tokenizer/split.h"

using namespace espalier;

namespace {

using Ids = std::vector<TokenId>;
constexpr const char* kTokenizers = "tokenizers/options/tokenizers.json";
constexpr const char* kRegexes = "tokenizers/options/regexes.json";

}  // namespace

/// Options that no model of the other goldens uses; ids from tokenizers 0.23.1 all the same.
class TokenizerOptionsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void follows_the_reference_data() {
        QTest::addColumn<int>("index");
        int index = 0;
        for (const Json& entry : read_golden(kTokenizers)) {
            QTest::addRow("%s", entry.at("name").get<std::string>().c_str()) << index++;
        }
    }
    void follows_the_reference() {
        QFETCH(int, index);
        const Json entry = read_golden(kTokenizers).at(static_cast<std::size_t>(index));
        const Tokenizer tokenizer(entry.at("tokenizer"));
        int failures = 0;
        const auto check = [&](const Json& found, const Json& c, const char* key) {
            if (found == c.at(key)) return;
            ++failures;
            qWarning("%s: %s for %s", key, quoted(found).constData(), quoted(c).constData());
        };
        for (const Json& c : entry.at("cases")) {
            const auto text = c.at("text").get<std::string>();
            check(tokenizer.encode(text, false), c, "ids");
            check(tokenizer.encode(text), c, "ids_with_special");
            const Ids ids = c.at("ids_with_special").get<Ids>();
            check(tokenizer.decode(ids), c, "decoded");
            check(tokenizer.decode(ids, true), c, "decoded_skip");
        }
        QCOMPARE(failures, 0);
    }

    void matches_as_oniguruma_data() {
        QTest::addColumn<int>("index");
        int index = 0;
        for (const Json& entry : read_golden(kRegexes)) {
            QTest::addRow("%s", entry.at("pattern").get<std::string>().c_str()) << index++;
        }
    }
    void matches_as_oniguruma() {
        QFETCH(int, index);
        const Json entry = read_golden(kRegexes).at(static_cast<std::size_t>(index));
        const Split split(TextPattern(Regex(entry.at("pattern").get<std::string>())),
                          SplitBehavior::Isolated, false);
        RegexScratch scratch;
        int failures = 0;
        for (const Json& c : entry.at("cases")) {
            PieceText text{c.at(0).get<std::string>(), {}, true};
            text.pieces.push_back({0, text.text.size()});
            split.apply(text, scratch);
            Json pieces = Json::array();
            for (const TextRange piece : text.pieces) {
                pieces.push_back(text.text.substr(piece.begin, piece.end - piece.begin));
            }
            if (pieces == c.at(1)) continue;
            ++failures;
            qWarning("%s for %s", quoted(pieces).constData(), quoted(c).constData());
        }
        QCOMPARE(failures, 0);
    }
};

QTEST_APPLESS_MAIN(TokenizerOptionsTest)
#include "tst_tokenizer_options.moc"
