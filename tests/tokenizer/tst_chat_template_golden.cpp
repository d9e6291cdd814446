#include <QTest>

#include "base/mapped_file.h"
#include "golden.h"
#include "tokenizer/chat_template.h"

using espalier::ChatTemplate;
using espalier::ChatTemplateError;
using espalier::Error;
using espalier::Json;

namespace {

std::string read_template(const std::string& name) {
    const espalier::MappedFile file(golden_path("chat_templates/" + name + "/template.jinja"));
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string with_crlf(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\n') result += '\r';
        result += c;
    }
    return result;
}

ChatTemplate::Request request_of(const Json& c) {
    ChatTemplate::Request request;
    request.messages = c.value("messages", Json::array());
    if (c.contains("tools")) request.tools = c.at("tools");
    if (c.contains("documents")) request.documents = c.at("documents");
    request.add_generation_prompt = c.value("add_generation_prompt", false);
    request.continue_final_message = c.value("continue_final_message", false);
    if (c.contains("kwargs")) request.kwargs = c.at("kwargs");
    request.now = c.value("now", std::string());
    return request;
}

/// What came out, in the form of a case: {"expected"} or {"error": {"kind", "message"}}.
Json outcome(const std::string& source, const ChatTemplate::Request& request) {
    try {
        const auto rendered = ChatTemplate(source).render_with_spans(request);
        Json spans = Json::array();
        for (const auto span : rendered.generation_spans) spans.push_back({span.begin, span.end});
        return {{"expected", rendered.text}, {"generation_spans", spans}};
    } catch (const ChatTemplateError& error) {
        return {{"error", {{"kind", error.kind()}, {"message", error.detail()}}}};
    }
}

bool agrees(const Json& c, const Json& result) {
    if (c.contains("expected")) {
        const bool same_spans =
            !c.contains("generation_spans") ||
            c.at("generation_spans") == result.value("generation_spans", Json());
        return result.contains("expected") && c.at("expected") == result.at("expected") &&
               same_spans;
    }
    if (!result.contains("error")) return false;
    const Json& wanted = c.at("error");
    const bool same_message = wanted.at("kind") != "raise_exception" ||
                              wanted.at("message") == result.at("error").at("message");
    return wanted.at("kind") == result.at("error").at("kind") && same_message;
}

}  // namespace

/// Output must match that of Jinja2 3.1.6, as transformers sets it up, byte for byte.
class ChatTemplateGoldenTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void renders_as_the_reference_data() {
        QTest::addColumn<QString>("name");
        for (const char* name :
             {"chatml", "deepseek_style", "documents_style", "gemma_style", "glm_style",
              "harmony_style", "llama3_style", "mistral_style", "phi_style", "qwen3_style"}) {
            QTest::addRow("%s", name) << QString::fromLatin1(name);
        }
    }
    void renders_as_the_reference() {
        QFETCH(QString, name);
        const std::string source = read_template(name.toStdString());
        int failures = 0;
        for (const Json& c : read_golden("chat_templates/" + name.toStdString() + "/cases.json")) {
            const bool has_crlf = c.value("template_crlf", false);
            const Json result = outcome(has_crlf ? with_crlf(source) : source, request_of(c));
            if (agrees(c, result)) continue;
            ++failures;
            qWarning("%s\n  instead of %s", quoted(result).constData(), quoted(c).constData());
        }
        QCOMPARE(failures, 0);
    }

    void evaluates_snippets_as_the_reference_data() {
        QTest::addColumn<QString>("group");
        const Json snippets = read_golden("chat_templates/snippets.json");
        for (const auto& [group, cases] : snippets.at("groups").items()) {
            QTest::addRow("%s", group.c_str()) << QString::fromStdString(group);
        }
    }
    void evaluates_snippets_as_the_reference() {
        QFETCH(QString, group);
        const Json snippets = read_golden("chat_templates/snippets.json");
        ChatTemplate::Request request;
        request.kwargs = snippets.at("vars");
        request.now = snippets.at("now").get<std::string>();
        int failures = 0;
        for (const Json& c : snippets.at("groups").at(group.toStdString())) {
            const Json result = outcome(c.at("template").get<std::string>(), request);
            if (agrees(c, result)) continue;
            ++failures;
            qWarning("%s\n  instead of %s", quoted(result).constData(), quoted(c).constData());
        }
        QCOMPARE(failures, 0);
    }
};

QTEST_APPLESS_MAIN(ChatTemplateGoldenTest)
#include "tst_chat_template_golden.moc"
