#include <QComboBox>
#include <QDir>
#include <QFile>
#include <QLabel>
#include <QListWidget>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableView>
#include <QTest>

#include "ui/widgets/banner.h"
#include "ui/widgets/info_view.h"
#include "ui/widgets/page.h"
#include "window_fixture.h"

using namespace espalier::ui;

namespace {

const QStringList kPages{QStringLiteral("start"),   QStringLiteral("models"),
                         QStringLiteral("wizard"),  QStringLiteral("runs"),
                         QStringLiteral("experts"), QStringLiteral("play")};

}  // namespace

class MainWindowTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() {
        QTest::failOnWarning(QRegularExpression(QStringLiteral(".*")));
        m_fixture = std::make_unique<WindowFixture>();
        QVERIFY(QTest::qWaitForWindowActive(&m_fixture->window()));
    }
    void cleanup() { m_fixture.reset(); }

    void every_page_has_its_number() {
        for (int i = 0; i < kPages.size(); ++i) {
            m_fixture->press(static_cast<Qt::Key>(Qt::Key_1 + i), Qt::ControlModifier);
            QCOMPARE(shownPage(), kPages[i] + QStringLiteral("Page"));
            QCOMPARE(m_fixture->find<QListWidget>("navRail")->currentRow(), i);
        }
    }

    void a_window_starts_from_the_desktops_font_and_colours() {
        const auto sizes = [this] {
            // Lists may hold other entries in the next window: each size counts once.
            QSet<double> found;
            for (const QLabel* label : m_fixture->window().findChildren<QLabel*>())
                found.insert(label->font().pointSizeF());
            return found;
        };
        const QSet<double> first = sizes();
        QVERIFY(!first.isEmpty());
        const double text = m_fixture->window().font().pointSizeF();
        const auto ground = [this] {
            return m_fixture->window().grab().toImage().pixelColor(2, 400).lightness();
        };
        QVERIFY(ground() > 128);
        for (int i = 0; i < 3; ++i) {
            m_fixture->theme().setTextPercent(200);
            m_fixture->theme().setMode(ThemeMode::Dark);
            QTRY_VERIFY(ground() < 128);
            QCOMPARE(m_fixture->window().font().pointSizeF(), 2 * text);
            m_fixture = nullptr;
            m_fixture = std::make_unique<WindowFixture>();
            QCOMPARE(m_fixture->window().font().pointSizeF(), text);
            QCOMPARE(sizes(), first);
            QVERIFY(ground() > 128);
        }
    }

    void a_shortcut_leads_into_its_page() {
        m_fixture->find("start_sample_btn")->setFocus();
        for (int i = 1; i < kPages.size(); ++i) {
            m_fixture->press(static_cast<Qt::Key>(Qt::Key_1 + i), Qt::ControlModifier);
            QVERIFY(m_fixture->find("pages")->isAncestorOf(QApplication::focusWidget()));
        }
        m_fixture->find("navRail")->setFocus();
        m_fixture->press(Qt::Key_Up);
        QCOMPARE(QApplication::focusWidget(), m_fixture->find("navRail"));
    }

    void enter_presses_the_button_that_has_the_focus() {
        auto* button = m_fixture->find("start_new_play_btn");
        button->setFocus();
        QTest::keyClick(button, Qt::Key_Return);
        QCOMPARE(shownPage(), QStringLiteral("playPage"));
    }

    void a_focused_button_shows_a_ring() {
        for (const char* name : {"start_new_compress_btn", "start_new_play_btn"}) {
            auto* button = m_fixture->find(name);
            m_fixture->find("navRail")->setFocus();
            const QImage without = button->grab().toImage();
            button->setFocus();
            QVERIFY2(button->grab().toImage() != without, name);
        }
    }

    void back_and_forward_walk_the_visited_pages() {
        m_fixture->window().showPage(QStringLiteral("runs"));
        m_fixture->window().showPage(QStringLiteral("play"));
        m_fixture->press(Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(shownPage(), QStringLiteral("runsPage"));
        m_fixture->press(Qt::Key_Left, Qt::AltModifier);
        QCOMPARE(shownPage(), QStringLiteral("startPage"));
        m_fixture->press(Qt::Key_Right, Qt::AltModifier);
        QCOMPARE(shownPage(), QStringLiteral("runsPage"));
    }

    void f6_goes_from_pane_to_pane() {
        m_fixture->find("navRail")->setFocus();
        m_fixture->press(Qt::Key_F6);
        QVERIFY(m_fixture->find("startPage")->isAncestorOf(QApplication::focusWidget()));
        m_fixture->press(Qt::Key_F6);
        QVERIFY(m_fixture->find("jobStrip")->isAncestorOf(QApplication::focusWidget()));
        m_fixture->press(Qt::Key_F6);
        QCOMPARE(QApplication::focusWidget(), m_fixture->find("navRail"));
    }

    void controls_are_named_and_reached_by_tab_data() {
        QTest::addColumn<QString>("page");
        for (const QString& page : kPages) QTest::addRow("%s", qPrintable(page)) << page;
    }

    void controls_are_named_and_reached_by_tab() {
        QFETCH(QString, page);
        open(page);
        const QStringList complaints =
            keyboardComplaints(m_fixture->window()) + mnemonicComplaints(m_fixture->window());
        QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
    }

    void every_step_of_the_wizard_is_reached_by_tab() {
        m_fixture->click("start_sample_btn");
        for (int step = 0; step < 4; ++step) {
            m_fixture->find<QListWidget>("wiz_steps_list")->setCurrentRow(step);
            const QStringList complaints =
                keyboardComplaints(m_fixture->window()) + mnemonicComplaints(m_fixture->window());
            QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
        }
    }

    void text_fits_in_a_small_window_with_large_letters_data() {
        controls_are_named_and_reached_by_tab_data();
    }

    void text_fits_in_a_small_window_with_large_letters() {
        QFETCH(QString, page);
        m_fixture->theme().setTextPercent(200);
        m_fixture->window().resize(1024, 640);
        open(page);
        QCOMPARE(m_fixture->window().size(), QSize(1024, 640));
        m_fixture->shoot(page + QStringLiteral("-small-200"));
        const QStringList complaints = elisionComplaints(m_fixture->window());
        QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
    }

    void the_wizard_fits_in_a_small_window_with_large_letters() {
        m_fixture->theme().setTextPercent(200);
        m_fixture->window().resize(1024, 640);
        m_fixture->click("start_sample_btn");
        auto* cost = m_fixture->find<InfoView>("wiz_cost_view");
        QTRY_VERIFY(!cost->value(QStringLiteral("experts")).isEmpty());
        for (int step = 0; step < 4; ++step) {
            m_fixture->find<QListWidget>("wiz_steps_list")->setCurrentRow(step);
            QCOMPARE(m_fixture->window().size(), QSize(1024, 640));
            m_fixture->shoot(QStringLiteral("wizard-step-%1-small-200").arg(step + 1));
            const QStringList complaints = elisionComplaints(m_fixture->window());
            QVERIFY2(complaints.isEmpty(), qPrintable(complaints.join(QLatin1Char('\n'))));
        }
    }

    void figures_are_changed_in_place() {
        InfoView view(QStringLiteral("figures"));
        const auto rowsOf = [](const QString& memory) {
            return std::vector<InfoRow>{{QStringLiteral("memory"), {}, memory, false, {}},
                                        {QStringLiteral("disk"), {}, {}, false, {}}};
        };
        view.setRows(rowsOf(QStringLiteral("1 GiB")));
        const auto labels = view.findChildren<QLabel*>();
        QCOMPARE(labels.size(), 4);
        view.setRows(rowsOf(QStringLiteral("2 GiB")));
        QCOMPARE(view.findChildren<QLabel*>(), labels);
        QCOMPARE(labels[1]->text(), QStringLiteral("2 GiB"));
        view.setRows({rowsOf({}).front()});
        QCOMPARE(view.findChildren<QLabel*>().size(), 2);
    }

    void pages_are_drawn_in_both_themes() {
        for (const QString& page : kPages) {
            open(page);
            m_fixture->shootBoth(page);
        }
    }

    void next_without_a_model_says_what_to_do() {
        open(QStringLiteral("wizard"));
        m_fixture->click("wiz_nav_next_btn");
        QCOMPARE(QApplication::focusWidget(), m_fixture->find("wiz_model_pick_combo"));
        QVERIFY(m_fixture->find("wiz_model_pick_combo")
                    ->accessibleDescription()
                    .startsWith("Choose a model"));
    }

    void a_folder_that_is_no_model_is_refused_with_its_code() {
        const QString folder = m_fixture->dataFolder() + QStringLiteral("/empty");
        QVERIFY(QDir().mkpath(folder));
        QFile config(folder + QStringLiteral("/config.json"));
        QVERIFY(config.open(QIODevice::WriteOnly));
        config.write("{}");
        config.close();
        m_fixture->window().openPaths({folder});
        auto* banner = m_fixture->find<Banner>("wiz_model_banner");
        QTRY_VERIFY(banner->isVisible());
        QVERIFY2(banner->text().contains(QStringLiteral("E-")), qPrintable(banner->text()));
        m_fixture->shoot(QStringLiteral("wizard-broken-model"));
    }

    void fewer_experts_than_a_token_needs_are_refused() {
        openSampleModel();
        m_fixture->click("wiz_nav_next_btn");
        auto* experts = m_fixture->find<QSpinBox>("wiz_goal_keep_spin");
        QCOMPARE(experts->maximum(), 32);
        experts->setValue(3);
        m_fixture->click("wiz_nav_next_btn");
        QCOMPARE(experts->accessibleDescription(),
                 QStringLiteral("Keep at least 4 experts: the model routes each token to 4."));
        QVERIFY(experts->isVisible());
        experts->setValue(4);
        m_fixture->click("wiz_nav_next_btn");
        QVERIFY(m_fixture->find("wiz_data_train_table")->isVisible());
    }

    void a_preset_sets_what_stands_below_it() {
        openSampleModel();
        m_fixture->click("wiz_nav_next_btn");
        auto* preset = m_fixture->find<QComboBox>("wiz_goal_preset_combo");
        auto* criterion = m_fixture->find<QComboBox>("wiz_goal_criterion_combo");
        auto* search = m_fixture->find<QSpinBox>("wiz_goal_search_spin");
        const auto choose = [](QComboBox* combo, const QString& data) {
            combo->setCurrentIndex(combo->findData(data));
            Q_EMIT combo->activated(combo->currentIndex());
        };
        QCOMPARE(preset->currentData().toString(), QStringLiteral("balanced"));
        QCOMPARE(criterion->currentData().toString(), QStringLiteral("auto"));
        QCOMPARE(search->value(), 2);
        choose(preset, QStringLiteral("best"));
        QCOMPARE(search->value(), 10);
        search->setValue(7);
        QVERIFY(preset->currentData().isNull());
        choose(preset, QStringLiteral("fast"));
        QCOMPARE(criterion->currentData().toString(), QStringLiteral("reap"));
        QVERIFY(!search->isVisible());
        choose(criterion, QStringLiteral("ean_sum"));
        QVERIFY(preset->currentData().isNull());
        m_fixture->shootBoth(QStringLiteral("wizard-goal"));
    }

    void a_recipe_that_prunes_nothing_stays_so() {
        const QString file = m_fixture->dataFolder() + QStringLiteral("/quantize.json");
        QFile recipe(file);
        QVERIFY(recipe.open(QIODevice::WriteOnly));
        recipe.write("{\"version\": 1, \"model\": \"" ESPALIER_SAMPLE
                     "/model\", \"stages\": [{\"stage\": \"quantize\", \"type\": \"q8_0\"}]}");
        recipe.close();
        m_fixture->window().openPaths({file});
        auto* cost = m_fixture->find<InfoView>("wiz_cost_view");
        QTRY_COMPARE(cost->value(QStringLiteral("experts")), QStringLiteral("32 → 32"));
        QCOMPARE(m_fixture->find<QSpinBox>("wiz_goal_keep_spin")->value(), 32);
        QCOMPARE(m_fixture->find<QComboBox>("wiz_goal_type_combo")->currentData().toString(),
                 QStringLiteral("q8_0"));
    }

    void the_model_is_described_and_the_cost_follows_the_goal() {
        openSampleModel();
        auto* info = m_fixture->find<InfoView>("wiz_model_info_view");
        QCOMPARE(info->value(QStringLiteral("family")), QStringLiteral("qwen3_moe"));
        QCOMPARE(info->value(QStringLiteral("experts")),
                 QStringLiteral("32 in each layer, 4 for each token"));
        auto* cost = m_fixture->find<InfoView>("wiz_cost_view");
        m_fixture->click("wiz_nav_next_btn");
        m_fixture->find<QSpinBox>("wiz_goal_keep_spin")->setValue(8);
        QTRY_COMPARE(cost->value(QStringLiteral("experts")), QStringLiteral("32 → 8"));
        const QString small = cost->value(QStringLiteral("size"));
        m_fixture->find<QSpinBox>("wiz_goal_keep_spin")->setValue(24);
        QTRY_COMPARE(cost->value(QStringLiteral("experts")), QStringLiteral("32 → 24"));
        QVERIFY(cost->value(QStringLiteral("size")) != small);
    }

    void the_draft_survives_the_window() {
        openSampleModel();
        m_fixture->click("wiz_nav_next_btn");
        m_fixture->find<QSpinBox>("wiz_goal_keep_spin")->setValue(11);
        const QString draft = m_fixture->dataFolder() + QStringLiteral("/drafts/compress.json");
        const auto saved = [&] {
            QFile file(draft);
            return file.open(QIODevice::ReadOnly) &&
                   file.readAll().contains("\"keep_experts\": 11");
        };
        QTRY_VERIFY(saved());
    }

    void the_sample_is_ready_to_start() {
        m_fixture->click("start_sample_btn");
        QCOMPARE(shownPage(), QStringLiteral("wizardPage"));
        QTRY_VERIFY(m_fixture->find("wiz_nav_start_btn")->isVisible());
        auto* cost = m_fixture->find<InfoView>("wiz_cost_view");
        QTRY_COMPARE(cost->value(QStringLiteral("experts")), QStringLiteral("32 → 16"));
        QVERIFY(!m_fixture->find<Banner>("wiz_review_banner")->isVisible());
        m_fixture->shootBoth(QStringLiteral("wizard-review"));
        for (int step = 0; step < 3; ++step) {
            m_fixture->find<QListWidget>("wiz_steps_list")->setCurrentRow(step);
            m_fixture->shootBoth(QStringLiteral("wizard-step-%1").arg(step + 1));
        }
    }

    void theme_and_text_size_are_remembered() {
        m_fixture->window().findChild<QAction*>(QStringLiteral("act_view_theme_dark"))->trigger();
        m_fixture->press(Qt::Key_Plus, Qt::ControlModifier);
        QCOMPARE(m_fixture->theme().textPercent(), 110);
        QTRY_COMPARE(variantOf(m_fixture->window().palette()), Variant::Dark);
        m_fixture->window().close();
        QFile settings(qEnvironmentVariable("ESPALIER_CONFIG_DIR") +
                       QStringLiteral("/espalier.ini"));
        QVERIFY(settings.open(QIODevice::ReadOnly));
        const QByteArray text = settings.readAll();
        QVERIFY(text.contains("theme=2"));
        QVERIFY(text.contains("textPercent=110"));
    }

private:
    QString shownPage() {
        return m_fixture->find<QStackedWidget>("pages")->currentWidget()->objectName();
    }

    void open(const QString& page) {
        auto* widget = m_fixture->find<Page>(qPrintable(page + QStringLiteral("Page")));
        QSignalSpy ready(widget, &Page::pageReady);
        QVERIFY(m_fixture->window().showPage(page));
        QVERIFY(ready.size() > 0 || ready.wait());
    }

    void openSampleModel() {
        m_fixture->window().openPaths({QStringLiteral(ESPALIER_SAMPLE "/model")});
        auto* info = m_fixture->find<InfoView>("wiz_model_info_view");
        QTRY_VERIFY(!info->value(QStringLiteral("family")).isEmpty());
    }

    std::unique_ptr<WindowFixture> m_fixture;
};

QTEST_MAIN(MainWindowTest)
#include "tst_main_window.moc"
