#include <QFile>
#include <QTest>

#include "cli.h"

using namespace espalier;
using espalier::test::Answer;
using espalier::test::Cli;

class tst_cli_texts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void tokenize_and_back_give_the_same_text() {
        const std::string text = "def añadir(x):\n\treturn x + 1  # 世界";
        const Json request = {{"text", text}, {"add_special", true}};
        const QByteArray line = QByteArray::fromStdString(request.dump() + "\n");
        const Answer encoded = m_cli.run({"tokenize", m_cli.sample("model")}, line + line);
        VERIFY_DONE(encoded);
        QCOMPARE(encoded.out.trimmed().split('\n').size(), 2);
        const Json back = {{"ids", encoded.json().at("ids")}, {"skip_special", false}};
        const Answer decoded = m_cli.run({"tokenize", m_cli.sample("model"), "--decode"},
                                         QByteArray::fromStdString(back.dump() + "\n"));
        QCOMPARE(decoded.json().at("text").get<std::string>(), text);
    }

    void tokenize_names_the_line_that_is_wrong() {
        const Answer answer =
            m_cli.run({"tokenize", m_cli.sample("model")}, "{\"text\": \"a\"}\n{\"txet\": 1}\n");
        QCOMPARE(answer.code, 3);
        QVERIFY(answer.err.contains("ine 2"));
        QVERIFY(answer.out.startsWith("{\"ids\""));
    }

    void render_chat_writes_the_turns() {
        write("chat.json", R"([{"role": "user", "content": "Hi"}])");
        const Answer answer = m_cli.run({"render-chat", m_cli.sample("model"), "--messages",
                                         m_cli.path("chat.json"), "--json"});
        VERIFY_DONE(answer);
        const auto text = answer.json().at("text").get<std::string>();
        QVERIFY(text.find("<|im_start|>user\nHi<|im_end|>") != std::string::npos);
        QVERIFY(text.ends_with("<|im_start|>assistant\n"));
    }

    void a_list_of_chats_is_answered_line_by_line() {
        write("chats.json", R"([{"messages": [{"role": "user", "content": "A"}]},
                                {"messages": [{"role": "user", "content": "B"}]}])");
        const Answer answer = m_cli.run({"render-chat", m_cli.sample("model"), "--messages",
                                         m_cli.path("chats.json"), "--json"});
        VERIFY_DONE(answer);
        QCOMPARE(answer.out.trimmed().split('\n').size(), 2);
    }

    void generate_is_greedy_and_repeats_itself() {
        const QStringList arguments{"--json",   "generate", m_cli.sample("model"),
                                    "--prompt", "import ",  "--max-tokens",
                                    "8"};
        const Answer once = m_cli.run(arguments);
        VERIFY_DONE(once);
        const Json json = once.json();
        QCOMPARE(json.at("ids").size(), std::size_t{8});
        COMPARE_JSON(json.at("stop"), Json("max-tokens"));
        QVERIFY(json.at("gen_tps").get<double>() > 0);
        COMPARE_JSON(m_cli.run(arguments + QStringList{"--threads", "1"}).json().at("ids"),
                     json.at("ids"));
    }

    void generate_streams_what_it_would_answer() {
        const QStringList arguments{"generate", m_cli.sample("model"), "--prompt",
                                    "import ",  "--max-tokens",        "8"};
        const Answer streamed = m_cli.run(arguments);
        const Answer whole = m_cli.run(QStringList{"--json"} + arguments);
        QCOMPARE(streamed.out.trimmed().toStdString(),
                 QByteArray::fromStdString(whole.json().at("text").get<std::string>())
                     .trimmed()
                     .toStdString());
    }

    void generation_never_loads_libtorch() {
        QProcess process;
        start_long_answer(process);
        QFile maps(QString("/proc/%1/maps").arg(process.processId()));
        QVERIFY(maps.open(QIODevice::ReadOnly));
        const QByteArray mapped = maps.readAll();
        Cli::send(process, SIGINT);
        QVERIFY(process.waitForFinished());
        QVERIFY(mapped.contains("libespalier-core"));
        QVERIFY(!mapped.contains("torch"));
    }

    void ctrl_c_ends_generation_with_130() {
        QProcess process;
        start_long_answer(process);
        Cli::send(process, SIGINT);
        QCOMPARE(Cli::finish(process).code, 130);
    }

    void eval_of_a_model_against_itself_finds_no_difference() {
        const QString text = m_cli.sample("heldout/cpp.txt");
        const Answer answer =
            m_cli.run({"--json", "eval", m_cli.sample("model"), "--perplexity", text, "--reference",
                       m_cli.sample("model"), "--context", "128", "--max-windows", "2"});
        VERIFY_DONE(answer);
        const Json json = answer.json();
        const double perplexity = json.at("perplexity").at(text.toStdString()).get<double>();
        QVERIFY(perplexity > 2 && perplexity < 60);
        COMPARE_JSON(json.at("tokens"), Json(126));
        QVERIFY(std::abs(json.at("kl").at("mean").get<double>()) < 1e-6);
        QCOMPARE(json.at("kl").at("top1").get<double>(), 1.0);
        QVERIFY(json.at("kl").contains("p999"));
        COMPARE_JSON(json.at("routing").at("verdict"), Json("pass"));
    }

    void routing_is_compared_with_a_stored_trace() {
        const auto eval = [this](const QStringList& more) {
            return m_cli.run(QStringList{"eval", m_cli.sample("model"), "--perplexity",
                                         m_cli.sample("heldout/cpp.txt"), "--context", "128",
                                         "--max-windows", "2"} +
                             more);
        };
        VERIFY_DONE(eval({"--save-routing", "base.safetensors"}));
        const Answer same = eval({"--base-routing", "base.safetensors"});
        VERIFY_DONE(same);
        QVERIFY2(same.out.contains("routing  pass"), same.out.constData());
        QVERIFY(same.out.contains("same experts, end to end"));
    }

private:
    void write(const char* name, const char* text) const {
        QFile file(m_cli.path(name));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(text);
    }

    /// Returns once the first text has come.
    void start_long_answer(QProcess& process) const {
        m_cli.start(process, {"generate", m_cli.sample("model"), "--prompt", "import ",
                              "--max-tokens", "4000", "--temperature", "1"});
        QVERIFY(process.waitForReadyRead());
    }

    Cli m_cli;
};

QTEST_GUILESS_MAIN(tst_cli_texts)
#include "tst_cli_texts.moc"
