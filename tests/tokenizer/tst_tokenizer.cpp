#include <QElapsedTimer>
#include <QTest>
#include <array>
#include <thread>

#include "base/error.h"
#include "base/mapped_file.h"
#include "golden.h"
#include "tokenizer/regex.h"

using espalier::Error;
using espalier::ErrorCode;
using espalier::Json;
using espalier::Regex;
using espalier::RegexScratch;
using espalier::StreamingDecoder;
using espalier::TokenId;
using espalier::Tokenizer;

namespace {

/// A tokenizer of a few letters, to be spoilt.
Json small_json() {
    return {{"added_tokens", {{{"id", 3}, {"content", "<s>"}, {"special", true}}}},
            {"model",
             {{"type", "BPE"},
              {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}}},
              {"merges", Json::array({"a b"})}}}};
}

std::string sample_text() {
    const espalier::MappedFile file(ESPALIER_SAMPLE "/heldout/python.txt");
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

Tokenizer sample_tokenizer() {
    return Tokenizer(espalier::read_json_file(ESPALIER_SAMPLE "/model/tokenizer.json"));
}

}  // namespace

class TokenizerTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void looks_up_tokens() {
        const Tokenizer tokenizer(small_json());
        QCOMPARE(tokenizer.num_ids(), 4);
        QCOMPARE(tokenizer.id_of("ab"), std::optional<TokenId>(2));
        QCOMPARE(tokenizer.id_of("<s>"), std::optional<TokenId>(3));
        QVERIFY(!tokenizer.id_of("c"));
        QCOMPARE(tokenizer.token_text(2), "ab");
        QCOMPARE(tokenizer.token_text(99), "");
        QCOMPARE(tokenizer.token_text(-1), "");
        QVERIFY(tokenizer.is_special(3));
        QVERIFY(!tokenizer.is_special(2));
    }

    void joins_without_decoder_by_spaces() {
        const Tokenizer tokenizer(small_json());
        QCOMPARE(tokenizer.decode(std::vector<TokenId>{2, 99, 0, 3}), "ab a <s>");
        QCOMPARE(tokenizer.decode(std::vector<TokenId>{2, 99, 0, 3}, true), "ab a");
    }

    void names_the_part_that_is_wrong_data() {
        QTest::addColumn<QByteArray>("pointer");
        QTest::addColumn<QByteArray>("value");
        QTest::addColumn<QString>("expected");
        const auto row = [](const char* name, const char* pointer, const char* value,
                            const char* expected) {
            QTest::newRow(name) << QByteArray(pointer)
                                << QByteArray(value).replace('\'', '"')  // easier to read
                                << QString::fromLatin1(expected);
        };
        row("no model", "/model", "null", "lacks \"model\"");
        row("model is a list", "/model", "[]", "model should be an object");
        row("unknown model", "/model/type", "\"Magic\"", "unknown model \"Magic\"");
        row("no vocabulary", "/model/vocab", "null", "model lacks \"vocab\"");
        row("negative id", "/model/vocab/a", "-1", "model.vocab gives \"a\" an id");
        row("huge id", "/model/vocab/a", "2147483647", "model.vocab gives \"a\" an id");
        row("id is text", "/model/vocab/a", "\"0\"", "model.vocab gives \"a\" an id");
        row("merge of three", "/model/merges/0", "\"a b c\"", "model.merges has a rule 0");
        row("merge of unknown", "/model/merges/0", "[\"a\", \"x\"]", "which the vocabulary lacks");
        row("merge is a number", "/model/merges/0", "1", "model.merges has a rule 0");
        row("unknown token lost", "/model/unk_token", "\"<unk>\"", "not in the vocabulary");
        row("dropout", "/model/dropout", "0.1", "random dropout");
        row("added without id", "/added_tokens/0/id", "null", "added_tokens[0] lacks \"id\"");
        row("added with huge id", "/added_tokens/0/id", "4194304", "added_tokens[0].id should be");
        row("added is no text", "/added_tokens/0/content", "7", "added_tokens[0].content should");
        row("unknown normalizer", "/normalizer", "{'type': 'Nmt'}", "unknown normalizer");
        row("unknown pre-tokenizer", "/pre_tokenizer", "{'type': 'X'}", "unknown pre-tokenizer");
        row("unknown decoder", "/decoder", "{'type': 'X'}", "unknown decoder");
        row("unknown post-processor", "/post_processor", "{'type': 'X'}", "post-processor");
        row("template without token", "/post_processor",
            "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'x'}}], "
            "'special_tokens': {}}",
            "special_tokens lacks \"x\"");
        row("broken regex", "/pre_tokenizer",
            "{'type': 'Split', 'pattern': {'Regex': '(a'}, 'behavior': 'Isolated'}", "\"(a\"");
        row("back-reference", "/pre_tokenizer",
            "{'type': 'Split', 'pattern': {'Regex': '(a)\\\\1'}, 'behavior': 'Isolated'}",
            "\\1 is not supported");
        row("unknown behaviour", "/pre_tokenizer",
            "{'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Odd'}", "\"Odd\"");
        row("unigram without scores", "/model", "{'type': 'Unigram', 'vocab': [['a']]}",
            "no [token, score]");
        row("unigram unknown id", "/model", "{'type': 'Unigram', 'vocab': [['a', 1]], 'unk_id': 1}",
            "model.unk_id should be");
    }
    void names_the_part_that_is_wrong() {
        QFETCH(QByteArray, pointer);
        QFETCH(QByteArray, value);
        QFETCH(QString, expected);
        Json json = small_json();
        json[Json::json_pointer(pointer.toStdString())] = Json::parse(value.toStdString());
        try {
            const Tokenizer tokenizer(json, "some.json");
            QFAIL("no error");
        } catch (const Error& error) {
            const QString message = QString::fromUtf8(error.what());
            QVERIFY2(message.contains(expected), error.what());
            QVERIFY(error.code() == ErrorCode::FileMalformed ||
                    error.code() == ErrorCode::FileUnsupported);
        }
    }

    void bounds_nesting() {
        Json sequence = {{"type", "Sequence"}, {"normalizers", Json::array()}};
        for (int i = 0; i < 30; ++i) {
            sequence = {{"type", "Sequence"}, {"normalizers", Json::array({sequence})}};
        }
        Json json = small_json();
        json["normalizer"] = sequence;
        QVERIFY_THROWS_EXCEPTION(Error, Tokenizer{json});
    }

    void refuses_text_that_is_not_utf8() {
        const Tokenizer tokenizer(small_json());
        QVERIFY_THROWS_EXCEPTION(Error, tokenizer.encode("a\xFF"));
        QVERIFY_THROWS_EXCEPTION(Error, tokenizer.encode("\xED\xA0\x80"));
    }

    void takes_a_very_long_word() {
        const Tokenizer tokenizer = golden_tokenizer("qwen3");
        QElapsedTimer timer;
        timer.start();
        const std::string word(1'000'000, 'e');
        const auto ids = tokenizer.encode(word);
        QCOMPARE(tokenizer.decode(ids), word);
        QVERIFY2(timer.elapsed() < 10'000, "quadratic?");
    }

    void takes_a_very_long_run_of_blanks() {
        const Tokenizer tokenizer = golden_tokenizer("llama3");
        const std::string text = std::string(1'000'000, ' ') + "x" + std::string(1'000'000, '\n');
        QCOMPARE(tokenizer.decode(tokenizer.encode(text, false)), text);
    }

    void gives_up_on_a_pattern_that_explodes() {
        const Regex regex("(?:a+)+$");
        RegexScratch scratch;
        std::vector<espalier::TextRange> matches;
        QVERIFY_THROWS_EXCEPTION(Error,
                                 regex.find_all(std::string(60, 'a') + "b", scratch, matches));
    }

    void survives_a_pattern_that_needs_a_deep_stack() {
        const Regex regex("(?:a|b(?=c*))+d|e");
        RegexScratch scratch;
        std::vector<espalier::TextRange> matches;
        regex.find_all(std::string(1'000'000, 'a') + "d", scratch, matches);
        QCOMPARE(matches.size(), 1U);
        QCOMPARE(matches[0].end, 1'000'001U);
    }

    void gives_every_thread_the_same() {
        const Tokenizer tokenizer = sample_tokenizer();
        const std::string text = sample_text();
        const auto expected = tokenizer.encode(text);
        std::array<std::vector<TokenId>, 4> results;
        {
            std::vector<std::jthread> threads;
            for (auto& result : results) {
                threads.emplace_back([&] { result = tokenizer.encode(text); });
            }
        }
        for (const auto& result : results) QCOMPARE(result, expected);
        QCOMPARE(tokenizer.decode(expected), text);
    }

    void streams_no_half_characters() {
        const Tokenizer tokenizer = sample_tokenizer();
        const std::string text = "naïve 你好 🙂 end";
        StreamingDecoder decoder(tokenizer);
        std::string whole;
        for (const TokenId id : tokenizer.encode(text)) {
            const std::string chunk = decoder.push(id);
            QVERIFY(chunk.find("\xEF\xBF\xBD") == std::string::npos);
            whole += chunk;
        }
        QCOMPARE(whole + decoder.finish(), text);
    }

    void ends_a_stream_with_what_is_left() {
        const Tokenizer tokenizer = sample_tokenizer();
        auto ids = tokenizer.encode("a🙂");
        ids.pop_back();
        StreamingDecoder decoder(tokenizer);
        std::string whole;
        for (const TokenId id : ids) whole += decoder.push(id);
        QCOMPARE(whole, "a");
        QCOMPARE(decoder.finish(), "\xEF\xBF\xBD");
        QCOMPARE(decoder.finish(), "");
    }
};

QTEST_APPLESS_MAIN(TokenizerTest)
#include "tst_tokenizer.moc"
