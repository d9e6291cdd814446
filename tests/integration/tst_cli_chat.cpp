#include <QFile>
#include <QTest>

#include "cli.h"
#include "support/linked_model.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;

class tst_cli_chat : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        test::link_model(m_cli.sample("model").toStdString(), m_cli.file("model"),
                         test::chat_files_with_bos());
    }

    /// What Jinja2 makes of the same templates and conversations, errors included.
    void golden_conversations_are_answered_line_by_line_data() {
        QTest::addColumn<QString>("name");
        for (const char* name :
             {"chatml", "deepseek_style", "documents_style", "gemma_style", "glm_style",
              "harmony_style", "llama3_style", "mistral_style", "phi_style", "qwen3_style"}) {
            QTest::addRow("%s", name) << name;
        }
    }

    void golden_conversations_are_answered_line_by_line() {
        QFETCH(QString, name);
        const QString folder = QStringLiteral(ESPALIER_TEST_DATA "/chat_templates/") + name;
        const Json cases = read_json_file((folder + "/cases.json").toStdString());
        const Answer answer = m_cli.run({"--json", "render-chat", folder + "/template.jinja",
                                         "--messages", folder + "/cases.json"});
        VERIFY_DONE(answer);
        const QList<QByteArray> lines = answer.out.trimmed().split('\n');
        QCOMPARE(static_cast<std::size_t>(lines.size()), cases.size());
        for (std::size_t i = 0; i < cases.size(); ++i) {
            const Json line =
                parse_json(lines[static_cast<qsizetype>(i)].toStdString(), "a line of stdout");
            if (cases[i].contains("expected")) {
                COMPARE_JSON(line, (Json{{"text", cases[i].at("expected")}}));
                continue;
            }
            const Json& wanted = cases[i].at("error");
            COMPARE_JSON(line.at("error").at("kind"), wanted.at("kind"));
            if (wanted.at("kind") == "raise_exception") {
                COMPARE_JSON(line.at("error").at("message"), wanted.at("message"));
            }
            QVERIFY(!line.contains("text"));
        }
    }

    void one_conversation_that_fails_ends_with_3_data() {
        QTest::addColumn<QString>("source");
        QTest::addColumn<QString>("kind");
        QTest::addColumn<QString>("message");
        QTest::addRow("raised") << "{{ raise_exception('No ' ~ messages[0].role ~ '!') }}"
                                << "raise_exception"
                                << "No user!";
        QTest::addRow("undefined") << "{{ nothing.there }}"
                                   << "undefined"
                                   << "";
        QTest::addRow("syntax") << "{% if %}"
                                << "syntax"
                                << "";
        QTest::addRow("security") << "{{ messages.append(1) }}"
                                  << "security"
                                  << "";
    }

    void one_conversation_that_fails_ends_with_3() {
        QFETCH(QString, source);
        QFETCH(QString, kind);
        QFETCH(QString, message);
        write("one.jinja", source.toUtf8());
        write("one.json", R"({"messages": [{"role": "user", "content": "Hi"}]})");
        const Answer answer = render("one.jinja", "one.json");
        QCOMPARE(answer.code, 3);
        const Json error = answer.json().at("error");
        COMPARE_JSON(error.at("kind"), Json(kind.toStdString()));
        QVERIFY(error.at("code").get<std::string>().starts_with("E-TMPL-"));
        if (!message.isEmpty()) COMPARE_JSON(error.at("message"), Json(message.toStdString()));
    }

    void a_template_that_cannot_be_compiled_answers_every_line() {
        write("bad.jinja", "{% if %}");
        write("two.json", R"([{"messages": []}, {"messages": []}])");
        const Answer answer = render("bad.jinja", "two.json");
        VERIFY_DONE(answer);
        QCOMPARE(answer.out.count("\"syntax\""), 2);
    }

    void a_conversation_of_the_wrong_shape_does_not_end_a_list() {
        write("echo.jinja", "{{ messages[0].content }}");
        write("mixed.json", R"([{"messages": [{"role": "user", "content": "A"}]}, 7,
                                {"messages": "B"}, {"messages": [], "now": "noon"},
                                {"messages": [{"role": "user", "content": "C"}]}])");
        const Answer answer = render("echo.jinja", "mixed.json");
        VERIFY_DONE(answer);
        const QList<QByteArray> lines = answer.out.trimmed().split('\n');
        QCOMPARE(lines.size(), 5);
        QCOMPARE(lines[0], QByteArray(R"({"text":"A"})"));
        for (const int i : {1, 2, 3}) {
            const Json error = parse_json(lines[i].toStdString(), "a line").at("error");
            COMPARE_JSON(error.at("kind"), Json("request"));
            QVERIFY(!error.at("message").get<std::string>().empty());
        }
        QCOMPARE(lines[4], QByteArray(R"({"text":"C"})"));
    }

    void fields_of_the_wrong_kind_are_named_data() {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<QByteArray>("named");
        QTest::addRow("no messages") << QByteArray(R"({"mesages": []})") << QByteArray("messages");
        QTest::addRow("messages") << QByteArray(R"({"messages": {}})") << QByteArray("messages");
        QTest::addRow("tools") << QByteArray(R"({"messages": [], "tools": "a"})")
                               << QByteArray("tools");
        QTest::addRow("flag") << QByteArray(R"({"messages": [], "add_generation_prompt": 1})")
                              << QByteArray("add_generation_prompt");
        QTest::addRow("kwargs") << QByteArray(R"({"messages": [], "kwargs": []})")
                                << QByteArray("kwargs");
        QTest::addRow("now") << QByteArray(R"({"messages": [], "now": 5})") << QByteArray("now");
        QTest::addRow("a text") << QByteArray(R"("Hi")") << QByteArray("list");
        QTest::addRow("no JSON") << QByteArray("Hi") << QByteArray("JSON");
    }

    void fields_of_the_wrong_kind_are_named() {
        QFETCH(QByteArray, json);
        QFETCH(QByteArray, named);
        write("echo.jinja", "{{ messages | length }}");
        write("wrong.json", json);
        const Answer answer = render("echo.jinja", "wrong.json");
        QCOMPARE(answer.code, 3);
        QVERIFY2(answer.err.contains(named), answer.err);
        QVERIFY(answer.json().contains("error"));
    }

    void a_model_without_a_template_is_an_error_of_the_model() {
        std::filesystem::create_directories(m_cli.file("mute"));
        for (const auto& entry : std::filesystem::directory_iterator(m_cli.file("model"))) {
            const auto name = entry.path().filename();
            if (name == "chat_template.jinja") continue;
            std::filesystem::create_symlink(entry.path(), m_cli.file("mute") / name);
        }
        write("two.json", R"([{"messages": []}, {"messages": []}])");
        const Answer answer = render("mute", "two.json");
        QCOMPARE(answer.code, 3);
        COMPARE_JSON(answer.json().at("error").at("code"), Json("E-TMPL-01"));
    }

    void the_models_special_tokens_are_there() {
        write("one.json", R"([{"role": "user", "content": "Hi"}])");
        const Answer answer = render("model", "one.json");
        VERIFY_DONE(answer);
        COMPARE_JSON(answer.json().at("text"), Json("STARTSuser:Hi;assistant:"));
    }

    void generate_gives_the_template_what_the_file_says_data() {
        QTest::addColumn<QByteArray>("json");
        QTest::addColumn<QString>("prompt");
        QTest::addRow("messages") << QByteArray(R"([{"role": "user", "content": "def f"}])")
                                  << "STARTSuser:def f;assistant:";
        QTest::addRow("tools and variables")
            << QByteArray(R"({"messages": [{"role": "user", "content": "def f"}],
                              "tools": [{"type": "function", "function": {"name": "import os"}}],
                              "kwargs": {"mood": "class A"}})")
            << "STARTSclass A[import os]user:def f;assistant:";
        QTest::addRow("no answer asked for")
            << QByteArray(R"({"messages": [{"role": "user", "content": "def f"}],
                              "add_generation_prompt": false})")
            << "STARTSuser:def f;";
        QTest::addRow("goes on with the last message")
            << QByteArray(R"({"messages": [{"role": "assistant", "content": "def f(x):"}],
                              "continue_final_message": true})")
            << "STARTSassistant:def f(x):";
    }

    void generate_gives_the_template_what_the_file_says() {
        QFETCH(QByteArray, json);
        QFETCH(QString, prompt);
        write("chat.json", json);
        const QStringList rest{"--max-tokens", "12"};
        const Answer chat = m_cli.run(QStringList{"--json", "generate", m_cli.path("model"),
                                                  "--messages", m_cli.path("chat.json")} +
                                      rest);
        const Answer plain = m_cli.run(
            QStringList{"--json", "generate", m_cli.path("model"), "--prompt", prompt} + rest);
        VERIFY_DONE(chat);
        VERIFY_DONE(plain);
        COMPARE_JSON(chat.json().at("ids"), plain.json().at("ids"));
    }

    void generate_answers_one_conversation_only() {
        write("two.json", R"([{"messages": []}, {"messages": []}])");
        const Answer answer = m_cli.run(
            {"--json", "generate", m_cli.path("model"), "--messages", m_cli.path("two.json")});
        QCOMPARE(answer.code, 3);
        QVERIFY(answer.err.contains("several"));
    }

private:
    void write(const char* name, const QByteArray& text) const {
        write_file(m_cli.file(name), text.toStdString());
    }

    Answer render(const char* model, const char* messages) const {
        return m_cli.run(
            {"--json", "render-chat", m_cli.path(model), "--messages", m_cli.path(messages)});
    }

    Cli m_cli;
};

QTEST_GUILESS_MAIN(tst_cli_chat)
#include "tst_cli_chat.moc"
