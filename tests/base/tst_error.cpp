#include <QTest>
#include <set>
#include <string>

#include "base/checked.h"
#include "base/error.h"

using namespace espalier;

class TestError : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void every_code_has_its_own_text() {
        std::set<std::string> texts;
        for (int i = 0; i <= static_cast<int>(ErrorCode::StoreFailed); ++i) {
            const auto text = code_text(static_cast<ErrorCode>(i));
            QVERIFY(text.starts_with("E-"));
            QVERIFY(texts.insert(std::string(text)).second);
        }
    }

    void texts_and_exit_codes_are_stable_data() {
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("text");
        QTest::addColumn<int>("exit");
        const auto row = [](ErrorCode code, const char* text, int exit) {
            QTest::addRow("%s", text) << static_cast<int>(code) << QString(text) << exit;
        };
        row(ErrorCode::FileMissing, "E-FILE-01", 3);
        row(ErrorCode::FileTruncated, "E-FILE-03", 3);
        row(ErrorCode::FileExists, "E-FILE-07", 3);
        row(ErrorCode::ArchUnknown, "E-ARCH-01", 3);
        row(ErrorCode::ArchConfig, "E-ARCH-03", 3);
        row(ErrorCode::MemoryExceeded, "E-MEM-01", 4);
        row(ErrorCode::DiskFull, "E-DISK-01", 4);
        row(ErrorCode::DiskWrite, "E-DISK-02", 4);
        row(ErrorCode::DataEmpty, "E-DATA-02", 3);
        row(ErrorCode::RunModule, "E-RUN-04", 3);
        row(ErrorCode::NumberInvalid, "E-NUM-01", 5);
        row(ErrorCode::GgufInexpressible, "E-GGUF-01", 3);
        row(ErrorCode::TemplateRaised, "E-TMPL-03", 3);
        row(ErrorCode::VerifyFailed, "E-VERIFY-01", 5);
        row(ErrorCode::UsageInvalid, "E-USE-01", 2);
        row(ErrorCode::StoreFailed, "E-STORE-01", 3);
    }

    void texts_and_exit_codes_are_stable() {
        QFETCH(int, code);
        QFETCH(QString, text);
        QFETCH(int, exit);
        const auto value = static_cast<ErrorCode>(code);
        QCOMPARE(QString::fromStdString(std::string(code_text(value))), text);
        QCOMPARE(exit_code(value), exit);
    }

    void carries_sentence_and_hint() {
        const Error error(ErrorCode::DataLine, "Line 3 is empty.", "Delete it.");
        QCOMPARE(error.what(), "Line 3 is empty.");
        QCOMPARE(error.hint().c_str(), "Delete it.");
        QVERIFY(error.code() == ErrorCode::DataLine);
    }

    void checked_arithmetic_notices_overflow() {
        constexpr std::uint64_t kHalf = 1ULL << 63;
        QCOMPARE(checked_multiply(3, 5).value(), 15U);
        QVERIFY(!checked_multiply(kHalf, 2));
        QCOMPARE(checked_add(kHalf, kHalf - 1).value(), ~0ULL);
        QVERIFY(!checked_add(kHalf, kHalf));
    }
};

QTEST_APPLESS_MAIN(TestError)
#include "tst_error.moc"
