#include <QTest>
#include <string>

#include "base/error.h"
#include "base/size_text.h"
#include "base/utf8.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;

class TestText : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void parses_sizes_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<quint64>("bytes");
        QTest::addRow("bare") << "123" << quint64{123};
        QTest::addRow("decimal unit") << "16GB" << quint64{16'000'000'000};
        QTest::addRow("binary unit") << "16GiB" << (quint64{16} << 30);
        QTest::addRow("letter alone") << "16G" << (quint64{16} << 30);
        QTest::addRow("kilo") << "2KB" << quint64{2000};
        QTest::addRow("lower case") << "2k" << quint64{2048};
        QTest::addRow("fraction") << "1.5MiB" << quint64{1'572'864};
        QTest::addRow("blank") << "800 MB" << quint64{800'000'000};
        QTest::addRow("tera") << "1TB" << quint64{1'000'000'000'000};
        QTest::addRow("bytes") << "7B" << quint64{7};
    }

    void parses_sizes() {
        QFETCH(QString, text);
        QFETCH(quint64, bytes);
        QCOMPARE(quint64{parse_size(text.toStdString())}, bytes);
    }

    void refuses_other_sizes_data() {
        QTest::addColumn<QString>("text");
        for (const char* text : {"", "GB", "-1", "-1GB", "nan", "inf", "1e300", "9e18GB", "1XB",
                                 "1GBB", "1 G B", "0x10", "1,5GB"}) {
            QTest::addRow("%s", text) << QString(text);
        }
    }

    void refuses_other_sizes() {
        QFETCH(QString, text);
        const auto error = error_of([&] { parse_size(text.toStdString()); });
        QVERIFY(error && error->code() == ErrorCode::UsageInvalid);
    }

    void writes_sizes() {
        QCOMPARE(size_text(999).c_str(), "999 B");
        QCOMPARE(size_text(18'600'000'000).c_str(), "18.6 GB");
        QCOMPARE(memory_text(1ULL << 30).c_str(), "1.0 GiB");
        QCOMPARE(memory_text(1536).c_str(), "1.5 KiB");
    }

    void judges_utf8_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<bool>("valid");
        QTest::addColumn<QByteArray>("replaced");
        const QByteArray mark("\xEF\xBF\xBD");
        const auto good = [](const char* name, const QByteArray& text) {
            QTest::addRow("%s", name) << text << true << text;
        };
        const auto bad = [](const char* name, const QByteArray& text, const QByteArray& replaced) {
            QTest::addRow("%s", name) << text << false << replaced;
        };
        good("empty", "");
        good("zero byte", QByteArray("a\0b", 3));
        good("two to four bytes", "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x8C\xB3");
        good("last code point", "\xF4\x8F\xBF\xBF");
        bad("lone continuation", "a\x80z", "a" + mark + "z");
        bad("overlong slash", "\xC0\xAF", mark + mark);
        bad("overlong three", "\xE0\x80\xAF", mark + mark + mark);
        bad("surrogate", "\xED\xA0\x80", mark + mark + mark);
        bad("past the last", "\xF4\x90\x80\x80", mark + mark + mark + mark);
        bad("cut off", "a\xE2\x82", "a" + mark);
        bad("cut off in between", "\xF0\x9F\x8C!", mark + "!");
        bad("never a byte", "\xFF\xFE", mark + mark);
    }

    void judges_utf8() {
        QFETCH(QByteArray, text);
        QFETCH(bool, valid);
        QFETCH(QByteArray, replaced);
        const std::string input = text.toStdString();
        QCOMPARE(is_valid_utf8(input), valid);
        QCOMPARE(QByteArray::fromStdString(replace_invalid_utf8(input)), replaced);
        QVERIFY(is_valid_utf8(replace_invalid_utf8(input)));
    }
};

QTEST_APPLESS_MAIN(TestText)
#include "tst_text.moc"
