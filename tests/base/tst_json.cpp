#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "support/error_of.h"

using namespace espalier;
using espalier::test::error_of;

class TestJson : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void keeps_the_order_of_keys() {
        const char* text =
            "{\"z\":1,\"a\":[true,null,-2.5,\"x\"],\"m\":{\"b\":18446744073709551615}}";
        QCOMPARE(parse_json(text, "test").dump().c_str(), text);
    }

    void refuses_what_is_not_json_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addRow("empty") << QByteArray();
        QTest::addRow("cut off") << QByteArray("{\"a\":[1,2");
        QTest::addRow("two values") << QByteArray("{} {}");
        QTest::addRow("key twice") << QByteArray("{\"a\":1,\"b\":2,\"a\":3}");
        QTest::addRow("key twice, deeper") << QByteArray("[{\"x\":{\"a\":1,\"a\":1}}]");
        QTest::addRow("zero byte") << QByteArray("{}\0{", 4);
        QTest::addRow("invalid UTF-8") << QByteArray("[\"\xFF\"]");
        QTest::addRow("number too large") << QByteArray("[1e999]");
        QTest::addRow("deep") << QByteArray(100'000, '[');
        QTest::addRow("65 levels") << QByteArray(65, '[') + QByteArray(65, ']');
    }

    void refuses_what_is_not_json() {
        QFETCH(QByteArray, text);
        const auto error = error_of([&] { parse_json(text.toStdString(), "some.json"); });
        QVERIFY(error);
        QVERIFY(error->code() == ErrorCode::FileMalformed);
        QVERIFY(std::string(error->what()).starts_with("some.json is not valid JSON: "));
    }

    void nests_as_deep_as_allowed() {
        const std::string text = std::string(64, '[') + std::string(64, ']');
        QCOMPARE(parse_json(text, "test").dump(), text);
        QVERIFY(error_of([&] { parse_json(text, "test", {.max_depth = 63}); }));
    }

    void the_same_key_in_two_objects_is_fine() {
        QCOMPARE(parse_json("[{\"a\":1},{\"a\":2}]", "test").size(), std::size_t{2});
    }

    void a_large_vocabulary_takes_no_quadratic_time() {
        std::string text = "{";
        for (int i = 0; i < 200'000; ++i) {
            text += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + std::to_string(i);
        }
        text += "}";
        QElapsedTimer timer;
        timer.start();
        const Json json = parse_json(text, "test");
        QCOMPARE(json.size(), std::size_t{200'000});
        QCOMPARE(json.back().get<int>(), 199'999);
        QVERIFY2(timer.elapsed() < 5'000, "a lookup for each key would take minutes");
    }

    void files_go_there_and_back() {
        QTemporaryDir dir;
        const std::filesystem::path path = dir.filePath("x.json").toStdString();
        const Json json{{"b", 1}, {"a", {1, 2}}};
        write_json_file(path, json);
        QVERIFY(read_file(path).ends_with("}\n"));
        QVERIFY(read_json_file(path) == json);
    }
};

QTEST_APPLESS_MAIN(TestJson)
#include "tst_json.moc"
