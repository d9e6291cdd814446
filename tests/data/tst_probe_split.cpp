#include <QTest>
#include <algorithm>

#include "data/probe_split.h"

using espalier::cut_at_lines;
using espalier::hold_out_probe;

namespace {

std::string joined(const std::vector<std::string_view>& parts) {
    std::string text;
    for (const auto part : parts) text += part;
    return text;
}

}  // namespace

class ProbeSplitTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void cuts_behind_line_ends() {
        const std::string text = "aaaa\nbb\ncccccc\nd";
        const auto parts = cut_at_lines(text, 6);
        QCOMPARE(joined(parts), text);
        QCOMPARE(parts.size(), 3U);
        QCOMPARE(parts[0], "aaaa\nbb\n");
        QCOMPARE(parts[1], "cccccc\n");
        QCOMPARE(parts[2], "d");
    }

    void cuts_an_endless_line_between_characters() {
        std::string text;
        for (int i = 0; i < 100; ++i) text += "€";
        const auto parts = cut_at_lines(text, 10);
        QCOMPARE(joined(parts), text);
        QVERIFY(parts.size() > 10);
        for (const auto part : parts) QCOMPARE(part.size() % 3, 0U);
    }

    void holds_out_a_tenth() {
        std::vector<std::string> texts;
        for (int i = 0; i < 57; ++i) texts.push_back("document " + std::to_string(i));
        const std::vector<std::string_view> documents(texts.begin(), texts.end());
        const auto split = hold_out_probe(documents);
        QCOMPARE(split.probe.size(), 5U);
        QCOMPARE(split.calibration.size(), 52U);
        // The choice is made by content, not by place.
        std::vector<std::string_view> reversed(documents.rbegin(), documents.rend());
        auto again = hold_out_probe(reversed).probe;
        std::reverse(again.begin(), again.end());
        QCOMPARE(again, split.probe);
    }

    void keeps_equal_documents_on_one_side() {
        std::vector<std::string_view> documents(20, "same");
        documents.push_back("other");
        const auto split = hold_out_probe(documents);
        QCOMPARE(split.probe.size() + split.calibration.size(), 21U);
        for (const auto document : split.probe) {
            QVERIFY(std::count(split.calibration.begin(), split.calibration.end(), document) == 0);
        }
    }

    void holds_out_nothing_of_a_single_document() {
        QCOMPARE(hold_out_probe({"only"}).calibration.size(), 1U);
        QCOMPARE(hold_out_probe({"only", "only"}).calibration.size(), 2U);
        QCOMPARE(hold_out_probe({"one", "two"}).probe.size(), 1U);
    }
};

QTEST_APPLESS_MAIN(ProbeSplitTest)
#include "tst_probe_split.moc"
