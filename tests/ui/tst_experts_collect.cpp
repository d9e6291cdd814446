#include <QCheckBox>
#include <QSpinBox>
#include <QTableView>
#include <QTest>
#include <filesystem>

#include "experts_fixture.h"
#include "ui/bridge/inspector_runs.h"
#include "ui/pages/experts_page.h"
#include "ui/widgets/info_view.h"

using namespace espalier;
using namespace espalier::ui;

/// Collecting statistics from the page of the experts.
class ExpertsCollectTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        m_fixture = makeExpertsWindow();
        QVERIFY(m_fixture != nullptr);
    }
    void cleanup() { m_fixture.reset(); }

    void the_cost_is_told_first() {
        open();
        m_fixture->click("exp_src_collect_btn");
        auto* sheet = m_fixture->find("dlgCollect");
        auto* cost = m_fixture->find<InfoView>("dlgCollect_cost_view");
        QTRY_VERIFY(!cost->value(QStringLiteral("time")).isEmpty());
        QVERIFY(!cost->value(QStringLiteral("memory")).isEmpty());
        QCOMPARE(m_fixture->find<QTableView>("dlgCollect_texts_table")->model()->rowCount(), 3);
        m_fixture->shootBoth(QStringLiteral("experts-collect"), sheet);
        QTest::keyClick(sheet, Qt::Key_Escape);
    }

    void statistics_show_when_they_are_there() {
        open();
        m_fixture->click("exp_none_collect_btn");
        m_fixture->find<QSpinBox>("dlgCollect_tokens_spin")->setValue(4000);
        m_fixture->find<QCheckBox>("dlgCollect_own_chk")->setChecked(true);
        m_fixture->click("dlgCollect_start_btn");
        QTRY_COMPARE_WITH_TIMEOUT(m_fixture->runs().state(), JobState::Finished, 120'000);
        QTRY_VERIFY(session().data()->hasStats());
        QTRY_COMPARE(session().plan().chooser, std::string("reap"));
        const ExpertStats& stats = session().data()->stats;
        const auto own = stats.settings.at("own_tokens").get<std::int64_t>();
        QVERIFY(stats.total_tokens() - own <= 4000);
        // With the texts that it was collected on, plans can be measured on what was kept out.
        QCOMPARE(session().probeSource().data.size(), 3U);
        QVERIFY(!stats.layers.at(0).top_contexts.empty());
    }

    void what_is_asked_goes_into_recipe_and_command() {
        CollectDraft draft{.model = sampleModel(), .data = {}};
        const Json plain = collectRecipe(draft).stages.front().config;
        QVERIFY(!plain.contains("stats") && !plain.contains("stable_share") &&
                !plain.contains("own_text_share"));
        draft.gathersAll = draft.endsEarly = draft.writesOwnText = true;
        const Json asked = collectRecipe(draft).stages.front().config;
        QCOMPARE(asked.at("stats").get<std::string>(), std::string("all"));
        QCOMPARE(asked.at("stable_share").get<double>(), 0.5);
        QCOMPARE(asked.at("own_text_share").get<double>(), 0.5);
        const QString command = collectCommand(draft);
        for (const char* option : {"--stats all", "--stable-share 0.5", "--own-text 0.5"})
            QVERIFY2(command.contains(QLatin1String(option)), option);
        draft.data = {{std::filesystem::path(ESPALIER_SAMPLE) / "calibration/python.txt", "", 1}};
        const double seconds = estimateCollect(draft).seconds;
        draft.writesOwnText = false;
        QVERIFY(seconds > estimateCollect(draft).seconds);
    }

private:
    void open() {
        m_fixture->open();
        m_fixture->page().openModel(sampleModel());
        QTRY_VERIFY(session().data() != nullptr);
    }
    ExpertSession& session() { return m_fixture->session(); }

    std::unique_ptr<ExpertsWindow> m_fixture;
};

QTEST_MAIN(ExpertsCollectTest)
#include "tst_experts_collect.moc"
