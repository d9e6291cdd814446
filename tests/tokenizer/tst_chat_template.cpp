#include <QTest>

#include "tokenizer/chat_template.h"

using espalier::ChatTemplate;
using espalier::ChatTemplateError;
using espalier::Error;
using espalier::ErrorCode;
using espalier::Json;

namespace {

std::string render(const std::string& source, ChatTemplate::Request request = {}) {
    return ChatTemplate(source).render(request);
}

ChatTemplate::Request conversation() {
    ChatTemplate::Request request;
    request.messages = {{{"role", "user"}, {"content", "Hi"}},
                        {{"role", "assistant"}, {"content", "Hello "}}};
    return request;
}

}  // namespace

class ChatTemplateTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void says_that_there_is_none() {
        try {
            ChatTemplate("");
            QFAIL("no error");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::TemplateMissing);
        }
    }

    void names_line_and_column_data() {
        QTest::addColumn<QString>("source");
        QTest::addColumn<QString>("place");
        QTest::addColumn<QString>("kind");
        QTest::newRow("unknown tag") << "ab\n {% frobnicate %}"
                                     << "line 2, column 2"
                                     << "syntax";
        QTest::newRow("unknown filter") << "{{ 1 |\n nope }}"
                                        << "line 2, column 2"
                                        << "syntax";
        QTest::newRow("no end") << "{% if 1 %}\nx"
                                << "line 2, column 2"
                                << "syntax";
        QTest::newRow("division") << "é\n{{ 1 / 0 }}"
                                  << "line 2, column 6"
                                  << "type";
        QTest::newRow("private") << "{{ ''.__class__.x }}"
                                 << "line 1, column 16"
                                 << "security";
    }
    void names_line_and_column() {
        QFETCH(QString, source);
        QFETCH(QString, place);
        QFETCH(QString, kind);
        try {
            render(source.toStdString());
            QFAIL("no error");
        } catch (const ChatTemplateError& error) {
            QCOMPARE(QString::fromStdString(error.kind()), kind);
            QVERIFY2(QString::fromUtf8(error.what()).contains(place), error.what());
        }
    }

    void passes_on_what_the_template_says() {
        try {
            render("{{ raise_exception('no ' ~ messages[0].role) }}", conversation());
            QFAIL("no error");
        } catch (const ChatTemplateError& error) {
            QCOMPARE(error.code(), ErrorCode::TemplateRaised);
            QCOMPARE(error.detail(), "no user");
        }
    }

    void bounds_hostile_templates_data() {
        QTest::addColumn<QByteArray>("source");
        const auto row = [](const char* name, const QByteArray& source) {
            QTest::newRow(name) << source;
        };
        const QByteArray loop = "{% for i in range(100000) %}";
        row("endless loops", loop + loop + "{% endfor %}{% endfor %}");
        row("endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}");
        row("recursive loop", "{% for n in [1] recursive %}{{ loop([1]) }}{% endfor %}");
        row("doubling text",
            "{% set n = namespace(a='a') %}" + loop + "{% set n.a = n.a ~ n.a %}{% endfor %}");
        row("doubling list", "{% set n = namespace(a=[1]) %}" + loop +
                                 "{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}");
        row("deep list",
            "{% set n = namespace(a=[1]) %}" + loop + "{% set n.a = [n.a] %}{% endfor %}{{ n.a }}");
        row("long repetition", "{{ 'ab' * 9000000000 }}");
        row("long padding", "{{ 'ab'.ljust(9000000000) }}");
        row("wide format", "{{ '%999999999d' % 1 }}");
        row("wide braces", "{{ '{:999999999}'.format(1) }}");
        row("growing replacement", "{{ ('a' * 60000).replace('', 'b' * 60000) }}");
        row("much output", loop + "{{ 'x' * 10000 }}{% endfor %}");
        row("large number", "{{ 9223372036854775807 + 1 }}");
        row("deep parentheses",
            "{{ " + QByteArray(5000, '(') + "1" + QByteArray(5000, ')') + " }}");
        row("deep blocks", QByteArray("{% if 1 %}").repeated(5000));
        row("many signs", "{{ " + QByteArray(5000, '-') + "1 }}");
        row("long sum", "{{ 1" + QByteArray("+1").repeated(5000) + " }}");
        row("namespace in itself", "{% set n = namespace() %}{% set n.a = n %}{{ n.a.a.b.c }}");
    }
    void bounds_hostile_templates() {
        QFETCH(QByteArray, source);
        QVERIFY_THROWS_EXCEPTION(ChatTemplateError, render(source.toStdString()));
    }

    void bounds_hostile_messages() {
        ChatTemplate::Request request;
        Json deep = 1;
        for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
        request.messages = deep;
        QVERIFY_THROWS_EXCEPTION(ChatTemplateError, render("{{ messages }}", request));
    }

    void continues_the_final_message() {
        auto request = conversation();
        request.continue_final_message = true;
        const std::string plain = "{% for m in messages %}<{{ m.content }}>{% endfor %}";
        QCOMPARE(render(plain, request), "<Hi><Hello ");
        const std::string trims = "{% for m in messages %}<{{ m.content | trim }}>{% endfor %}";
        QCOMPARE(render(trims, request), "<Hi><Hello");
        QVERIFY_THROWS_EXCEPTION(ChatTemplateError, render("{{ messages[0].content }}", request));
        request.messages = Json::array();
        QVERIFY_THROWS_EXCEPTION(ChatTemplateError, render(plain, request));
    }

    void reports_what_the_model_wrote() {
        const ChatTemplate chat_template(
            "é{% for m in messages %}{% if m.role == 'assistant' %}"
            "{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}");
        const auto rendered = chat_template.render_with_spans(conversation());
        QCOMPARE(rendered.text, "éHello ");
        QCOMPARE(rendered.generation_spans, (std::vector<ChatTemplate::Span>{{1, 7}}));
    }

    void knows_the_special_tokens() {
        const Json config = {
            {"bos_token", {{"content", "<s>"}}}, {"eos_token", "</s>"}, {"pad_token", nullptr}};
        const ChatTemplate chat_template("{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}",
                                         config);
        QCOMPARE(chat_template.render({}), "<s></s>False");
        ChatTemplate::Request request;
        request.kwargs["bos_token"] = "[B]";
        QCOMPARE(chat_template.render(request), "[B]</s>False");
    }

    void knows_the_time() {
        ChatTemplate::Request request;
        request.now = "2024-02-29T23:59:58";
        QCOMPARE(render("{{ strftime_now('%j %d %b %-I%p') }}", request), "060 29 Feb 11PM");
        request.now = "yesterday";
        QVERIFY_THROWS_EXCEPTION(Error, render("", request));
        request.now.clear();
        QVERIFY(render("{{ strftime_now('%Y') }}", request) >= "2024");
    }

    void can_be_used_again_and_again() {
        const ChatTemplate chat_template(
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
            "{% endfor %}{{ ns.n }}");
        QCOMPARE(chat_template.render(conversation()), "2");
        QCOMPARE(chat_template.render(conversation()), "2");
    }
};

QTEST_APPLESS_MAIN(ChatTemplateTest)
#include "tst_chat_template.moc"
