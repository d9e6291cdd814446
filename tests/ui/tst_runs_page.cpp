#include <QComboBox>
#include <QDir>
#include <QFile>
#include <QRegularExpression>
#include <QTest>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/json.h"
#include "pipeline/runner.h"
#include "store/database.h"
#include "ui/pages/runs_page.h"
#include "ui/widgets/banner.h"
#include "window_fixture.h"

using namespace espalier;
using namespace espalier::ui;
namespace fs = std::filesystem;

namespace {

constexpr int kRunTimeout = 120'000;
const fs::path kSample = ESPALIER_SAMPLE;

/// A cut that no routing can survive within its limits, and a stage that would build on it.
Recipe recipe(const fs::path& limits) {
    Recipe recipe;
    recipe.model = kSample / "model";
    recipe.data = {{kSample / "calibration/mix.txt", "mix", 1}};
    recipe.stages = {{"calibrate", {{"tokens", 1024}, {"context", 256}}},
                     {"prune",
                      {{"criterion", "reap"},
                       {"keep_experts", 8},
                       {"accept", {"low_task_mass"}},
                       {"routing_tokens", 512},
                       {"limits_file", limits.string()}}},
                     {"quantize", {{"type", "q8_0"}, {"routing_tokens", 0}}}};
    return recipe;
}

}  // namespace

class RunsPageTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        m_fixture = std::make_unique<WindowFixture>();
        QVERIFY(QTest::qWaitForWindowActive(&m_fixture->window()));
    }
    void init() { QTest::failOnWarning(QRegularExpression(QStringLiteral(".*"))); }
    void cleanupTestCase() { m_fixture.reset(); }

    void a_run_whose_routing_fails_waits_and_says_why() {
        const fs::path limits = (m_fixture->dataFolder() + "/limits.json").toStdString();
        fs::create_directories(limits.parent_path());
        write_json_file(limits, {{"displaced", {{"pass", 0}, {"warn", 0}}},
                                 {"restricted_kl", {{"pass", 0}, {"warn", 1e-6}}}});
        m_fixture->runs().start(
            {.recipe = recipe(limits), .out = folder().toStdString(), .library = library_path()});
        showRun();
        QTRY_COMPARE_WITH_TIMEOUT(m_fixture->runs().state(), JobState::Held, kRunTimeout);
        QVERIFY(QDir(folder()).exists(QStringLiteral("02-prune")));
        QVERIFY(!QDir(folder()).exists(QStringLiteral("03-quantize")));
        auto* banner = m_fixture->find<Banner>("run_banner");
        QTRY_VERIFY(banner->isVisible());
        QVERIFY2(banner->text().contains(QStringLiteral("restricted_kl")),
                 qPrintable(banner->text()));
        QVERIFY(m_fixture->find("run_ctl_accept_btn")->isVisible());
        QVERIFY(!m_fixture->find("run_ctl_resume_btn")->isVisible());
        QCOMPARE(keyboardComplaints(m_fixture->window()), QStringList());
        QCOMPARE(mnemonicComplaints(m_fixture->window()), QStringList());
        // Layer by layer the loss adds up: the worst is one of the last.
        m_fixture->find<QComboBox>("run_layer_combo")->setCurrentIndex(0);
        m_fixture->click("run_ctl_look_btn");
        const int layer = m_fixture->find<QComboBox>("run_layer_combo")->currentData().toInt();
        QVERIFY2(layer > 0, qPrintable(banner->text()));
        QVERIFY2(banner->text().contains(QStringLiteral("layer %1 ").arg(layer)),
                 qPrintable(banner->text()));
        m_fixture->shootBoth(QStringLiteral("run-held"));
    }

    void seen_again_later_it_still_waits() {
        m_fixture->click("run_nav_list_btn");
        showRun();
        QTRY_VERIFY(m_fixture->find("run_ctl_accept_btn")->isVisible());
        QTRY_VERIFY(m_fixture->find<Banner>("run_banner")->isVisible());
    }

    void accepted_it_goes_on_and_remembers_that() {
        m_fixture->click("run_ctl_accept_btn");
        QTRY_VERIFY_WITH_TIMEOUT(m_fixture->runs().isBusy(), 5000);
        QTRY_COMPARE_WITH_TIMEOUT(m_fixture->runs().state(), JobState::Finished, kRunTimeout);
        QTRY_VERIFY(m_fixture->find("run_ctl_try_btn")->isVisible());
        QVERIFY(!m_fixture->find("run_ctl_accept_btn")->isVisible());
        const Json report = read_json_file((folder() + "/report.json").toStdString());
        QVERIFY(report.at("stages")[1].at("routing_accepted").get<bool>());
        QVERIFY(!report.at("stages")[2].contains("routing_accepted"));
    }

private:
    void showRun() {
        QVERIFY(m_fixture->window().showPage(QStringLiteral("runs")));
        m_fixture->find<RunsPage>("runsPage")->openRun(folder());
    }
    QString folder() const { return m_fixture->dataFolder() + QStringLiteral("/runs/held"); }

    std::unique_ptr<WindowFixture> m_fixture;
};

QTEST_MAIN(RunsPageTest)
#include "tst_runs_page.moc"
