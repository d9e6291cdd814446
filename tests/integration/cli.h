#pragma once

#include <QProcess>
#include <QProcessEnvironment>
#include <QStringList>
#include <QTemporaryDir>
#include <csignal>
#include <filesystem>

#include "base/json.h"
#include "support/compare_json.h"

namespace espalier::test {

/// What a call of the program left behind.
struct Answer {
    int code = -1;  ///< -1 = it crashed or was killed
    QByteArray out;
    QByteArray err;

    /// The last line of stdout.
    Json json() const {
        const QList<QByteArray> lines = out.trimmed().split('\n');
        return parse_json(lines.last().toStdString(), "stdout");
    }
};

/// Calls espalier-cli in a folder of its own, with a library of its own.
class Cli {
public:
    std::filesystem::path file(const char* name) const {
        return std::filesystem::path(dir_.path().toStdString()) / name;
    }
    QString path(const char* name) const { return dir_.filePath(name); }

    static QString sample(const char* name) {
        return QStringLiteral(ESPALIER_SAMPLE "/") + QLatin1String(name);
    }

    void start(QProcess& process, const QStringList& arguments) const {
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert("ESPALIER_DATA_DIR", dir_.filePath("data"));
        process.setProcessEnvironment(environment);
        process.setWorkingDirectory(dir_.path());
        process.start(ESPALIER_CLI, arguments);
    }

    static Answer finish(QProcess& process) {
        Answer answer;
        if (process.waitForFinished(120'000) && process.exitStatus() == QProcess::NormalExit) {
            answer.code = process.exitCode();
        }
        answer.out = process.readAllStandardOutput();
        answer.err = process.readAllStandardError();
        return answer;
    }

    Answer run(const QStringList& arguments, const QByteArray& input = {}) const {
        QProcess process;
        start(process, arguments);
        process.write(input);
        process.closeWriteChannel();
        return finish(process);
    }

    /// To that process alone: one that has ended has the id 0, which would mean everything that the
    /// test was started with.
    static void send(const QProcess& process, int signal) {
        const auto id = static_cast<pid_t>(process.processId());
        if (id > 0) ::kill(id, signal);
    }

private:
    QTemporaryDir dir_;
};

}  // namespace espalier::test

/// A call that must succeed; shows what the program said otherwise.
#define VERIFY_DONE(answer) QVERIFY2((answer).code == 0, (answer).err.constData())
