#include <QTest>

#include "golden.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/unicode_classes.h"

using namespace espalier;

namespace {

std::vector<std::string> pieces_of(const PieceText& cut) {
    std::vector<std::string> pieces;
    for (const TextRange range : cut.pieces) {
        pieces.push_back(cut.text.substr(range.begin, range.end - range.begin));
    }
    return pieces;
}

void add_configurations(const char* file) {
    QTest::addColumn<int>("index");
    int index = 0;
    for (const Json& entry : read_golden(file)) {
        QTest::addRow("%s", entry.at("name").get<std::string>().c_str()) << index++;
    }
}

Json configuration(const char* file, int index) {
    return read_golden(file).at(static_cast<std::size_t>(index));
}

constexpr const char* kPreTokenizers = "tokenizers/components/pre_tokenizers.json";
constexpr const char* kNormalizers = "tokenizers/components/normalizers.json";
constexpr const char* kDecoders = "tokenizers/components/decoders.json";
constexpr const char* kClasses = "tokenizers/components/unicode_classes.json";

}  // namespace

class ComponentsGoldenTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void pre_tokenizers_cut_as_the_reference_data() { add_configurations(kPreTokenizers); }
    void pre_tokenizers_cut_as_the_reference() {
        QFETCH(int, index);
        const Json entry = configuration(kPreTokenizers, index);
        const auto pre_tokenizer = make_pre_tokenizer(JsonPart(entry.at("config"), "config"));
        RegexScratch scratch;
        for (const Json& c : entry.at("cases")) {
            const auto pieces = pieces_of(
                pre_tokenize(pre_tokenizer.get(), c.at(0).get<std::string>(), true, scratch));
            QVERIFY2(Json(pieces) == c.at(1), quoted(Json(pieces)) + " for " + quoted(c));
        }
    }

    void normalizers_rewrite_as_the_reference_data() { add_configurations(kNormalizers); }
    void normalizers_rewrite_as_the_reference() {
        QFETCH(int, index);
        const Json entry = configuration(kNormalizers, index);
        const auto normalizer = make_normalizer(JsonPart(entry.at("config"), "config"));
        RegexScratch scratch;
        for (const Json& c : entry.at("cases")) {
            auto text = c.at(0).get<std::string>();
            normalizer->apply(text, scratch);
            QVERIFY2(Json(text) == c.at(1), quoted(Json(text)) + " for " + quoted(c));
        }
    }

    void decoders_join_as_the_reference_data() { add_configurations(kDecoders); }
    void decoders_join_as_the_reference() {
        QFETCH(int, index);
        const Json entry = configuration(kDecoders, index);
        const auto decoder = make_decoder(JsonPart(entry.at("config"), "config"));
        for (const Json& c : entry.at("cases")) {
            auto tokens = c.at(0).get<std::vector<std::string>>();
            decoder->apply(tokens);
            std::string text;
            for (const std::string& token : tokens) text += token;
            QVERIFY2(Json(text) == c.at(1), quoted(Json(text)) + " for " + quoted(c));
        }
    }

    void classes_are_those_of_unicode_16() {
        const Json classes = read_golden(kClasses);
        for (const auto& [name, ranges] : classes.items()) {
            CodePoints expected;
            for (const Json& range : ranges) {
                const auto text = range.get<std::string>();
                const std::size_t dash = text.find('-');
                const auto first = static_cast<char32_t>(std::stoul(text, nullptr, 16));
                const auto last =
                    dash == std::string::npos
                        ? first
                        : static_cast<char32_t>(std::stoul(text.substr(dash + 1), nullptr, 16));
                expected.add({first, last});
            }
            QVERIFY2(property_class(name) == expected, name.c_str());
        }
    }
};

QTEST_APPLESS_MAIN(ComponentsGoldenTest)
#include "tst_components_golden.moc"
