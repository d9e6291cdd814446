#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "base/error.h"
#include "data/dataset.h"

using espalier::DataSource;
using espalier::Document;
using espalier::Error;
using espalier::ErrorCode;
using espalier::parse_data_source;
using espalier::read_documents;

namespace {

constexpr const char* kTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}"
    "{% endif %}";

}  // namespace

class ReadDocumentsTest : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;

    DataSource file(const char* name, const QByteArray& bytes) {
        const std::string path = (folder_.path() + '/' + QString::fromUtf8(name)).toStdString();
        std::ofstream(path, std::ios::binary) << bytes.toStdString();
        return {path, "", 1.0};
    }

private Q_SLOTS:
    void splits_a_label_from_a_path() {
        QCOMPARE(parse_data_source("python=a/b.txt").task, "python");
        QCOMPARE(parse_data_source("python=a/b.txt").path.string(), "a/b.txt");
        QCOMPARE(parse_data_source("a/b=c.txt").task, "b=c");
        QCOMPARE(parse_data_source("a/b=c.txt").path.string(), "a/b=c.txt");
        QVERIFY_THROWS_EXCEPTION(Error, parse_data_source(""));
        QVERIFY_THROWS_EXCEPTION(Error, parse_data_source("python="));
        QVERIFY_THROWS_EXCEPTION(Error, parse_data_source("=a.txt"));
    }

    void takes_plain_text_as_one_document() {
        const auto documents = read_documents(file("notes.txt", "one\r\n\ntwo\n"), "");
        QCOMPARE(documents.size(), 1U);
        QCOMPARE(documents[0].text, "one\r\n\ntwo\n");
        QCOMPARE(documents[0].task, "notes");
    }

    void reads_a_document_a_line() {
        const QByteArray lines =
            "\xEF\xBB\xBF{\"text\": \"a\\nb\"}\r\n\n"
            "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}";
        const auto documents = read_documents(file("chat.jsonl", lines), kTemplate);
        QCOMPARE(documents.size(), 2U);
        QCOMPARE(documents[0].text, "a\nb");
        QCOMPARE(documents[1].text, "<|im_start|>user\nhi<|im_end|>\n");
    }

    void names_file_line_and_field_of_what_is_wrong_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("expected");
        QTest::newRow("no JSON") << QByteArray("{\"text\": \"a\"}\n{oops\n") << "x.jsonl, line 2";
        QTest::newRow("a list") << QByteArray("[1]") << "line 1: it should be an object";
        QTest::newRow("no field") << QByteArray("\n{\"txt\": \"a\"}")
                                  << "line 2: it has neither \"text\" nor \"messages\"";
        QTest::newRow("text is a number")
            << QByteArray("{\"text\": 1}") << "line 1: \"text\" should be a string";
        QTest::newRow("messages empty")
            << QByteArray("{\"messages\": []}") << "line 1: \"messages\" should be a list";
        QTest::newRow("no role") << QByteArray("{\"messages\": [{\"content\": \"a\"}]}")
                                 << "\"messages\"[0] lacks \"role\"";
        QTest::newRow("no content") << QByteArray("{\"messages\": [{\"role\": \"user\"}]}")
                                    << "\"messages\"[0] should have a string as \"content\"";
        QTest::newRow("not UTF-8") << QByteArray("{\"text\": \"\xFF\"}") << "line 1";
    }
    void names_file_line_and_field_of_what_is_wrong() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, expected);
        try {
            read_documents(file("x.jsonl", bytes), kTemplate);
            QFAIL("no error");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::DataLine);
            const QString message = QString::fromUtf8(error.what());
            QVERIFY2(message.contains(expected), error.what());
            QVERIFY2(message.contains("x.jsonl"), error.what());
        }
    }

    void names_the_line_that_is_not_utf8() {
        try {
            read_documents(file("x.txt", "fine\n\xC3\n"), "");
            QFAIL("no error");
        } catch (const Error& error) {
            QVERIFY2(QString::fromUtf8(error.what()).contains("x.txt, line 2"), error.what());
        }
    }

    void refuses_what_holds_no_text() {
        QVERIFY_THROWS_EXCEPTION(Error, read_documents(file("x.txt", ""), ""));
        QVERIFY_THROWS_EXCEPTION(Error, read_documents(file("x.jsonl", "\n\n"), ""));
        QVERIFY_THROWS_EXCEPTION(Error, read_documents({"/nowhere.txt", "", 1.0}, ""));
    }

    void says_that_the_template_is_missing_only_where_it_is_needed() {
        QCOMPARE(read_documents(file("a.jsonl", "{\"text\": \"a\"}"), "").size(), 1U);
        try {
            read_documents(
                file("a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": \"\"}]}"), "");
            QFAIL("no error");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::TemplateMissing);
        }
    }
};

QTEST_APPLESS_MAIN(ReadDocumentsTest)
#include "tst_read_documents.moc"
