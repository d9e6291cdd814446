#include <QApplication>
#include <QTest>

#include "ui/theme/color_scale.h"
#include "ui/theme/colors.h"
#include "ui/theme/theme_controller.h"

using namespace espalier::ui;

namespace {

constexpr double kText = 4.5;
constexpr double kMark = 3.0;

}  // namespace

class ThemeTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void contrast_ratio_follows_the_definition() {
        QCOMPARE(contrastRatio(Qt::black, Qt::white), 21.0);
        QCOMPARE(contrastRatio(Qt::white, Qt::white), 1.0);
        // #767676 on white is the classic edge of 4.5.
        QVERIFY(qAbs(contrastRatio(QColor(0x76, 0x76, 0x76), Qt::white) - 4.54) < 0.005);
    }

    void text_and_marks_have_enough_contrast_data() {
        QTest::addColumn<QColor>("ink");
        QTest::addColumn<QColor>("ground");
        QTest::addColumn<double>("least");
        for (const Variant variant : {Variant::Light, Variant::Dark}) {
            const Colors& c = colors(variant);
            const char* name = variant == Variant::Light ? "light" : "dark";
            const auto row = [&](const char* token, const QColor& ink, const QColor& ground,
                                 double least) {
                QTest::addRow("%s %s", name, token) << ink << ground << least;
            };
            for (const auto& [place, ground] :
                 {std::pair("surface", c.surface), std::pair("bg", c.bg),
                  std::pair("raised", c.raised)}) {
                row(qPrintable(QStringLiteral("text on %1").arg(QLatin1String(place))), c.text,
                    ground, kText);
                row(qPrintable(QStringLiteral("text2 on %1").arg(QLatin1String(place))), c.text2,
                    ground, kText);
                row(qPrintable(QStringLiteral("border on %1").arg(QLatin1String(place))), c.border,
                    ground, kMark);
                row(qPrintable(QStringLiteral("accent on %1").arg(QLatin1String(place))), c.accent,
                    ground, kMark);
            }
            row("accent as text", c.accent, c.surface, kText);
            row("text on accent", c.onAccent, c.accent, kText);
            row("ok", c.ok, c.surface, kText);
            row("warn", c.warn, c.surface, kText);
            row("err", c.err, c.surface, kText);
            row("warn on raised", c.warn, c.raised, kText);
            row("err on raised", c.err, c.raised, kText);
            row("disabled", c.disabled, c.surface, kMark);
            row("info banner", c.infoBanner.text, c.infoBanner.ground, kText);
            row("ok banner", c.okBanner.text, c.okBanner.ground, kText);
            row("warn banner", c.warnBanner.text, c.warnBanner.ground, kText);
            row("err banner", c.errBanner.text, c.errBanner.ground, kText);
            for (std::size_t i = 0; i < c.series.size(); ++i) {
                row(qPrintable(QStringLiteral("series %1").arg(i + 1)), c.series[i].color,
                    c.surface, kText);
            }
        }
    }

    void text_and_marks_have_enough_contrast() {
        QFETCH(QColor, ink);
        QFETCH(QColor, ground);
        QFETCH(double, least);
        const double ratio = contrastRatio(ink, ground);
        QVERIFY2(ratio >= least, qPrintable(QString::number(ratio)));
    }

    void ink_stands_out_on_every_colour_of_a_scale() {
        for (const Variant variant : {Variant::Light, Variant::Dark}) {
            const Colors& c = colors(variant);
            for (const ColorMap map : {ColorMap::Viridis, ColorMap::Cividis, ColorMap::Diverging}) {
                const ColorScale scale(map, c);
                for (int i = 0; i <= 100; ++i) {
                    const auto fraction = static_cast<float>(i) / 100;
                    const QColor ground(scale.color(fraction));
                    const QColor ink = scale.takesDarkInk(fraction) ? c.darkInk : c.lightInk;
                    QVERIFY(contrastRatio(ink, ground) >= kText);
                }
            }
        }
    }

    void scales_run_from_the_first_to_the_last_colour() {
        const Colors& c = colors(Variant::Light);
        QCOMPARE(colorAt(c.viridis, 0), QColor(0x44, 0x01, 0x54));
        QCOMPARE(colorAt(c.viridis, 0.5), QColor(0x21, 0x91, 0x8C));
        QCOMPARE(colorAt(c.viridis, 7), QColor(0xFD, 0xE7, 0x25));
        // Half-way between the first two of nine.
        QCOMPARE(colorAt(c.viridis, 1.0 / 16), QColor(0x46, 0x17, 0x68));
        QCOMPARE(colorAt(c.diverging, 0.5), QColor(0xF5, 0xF5, 0xF5));
        QCOMPARE(c.cividis.size(), std::size_t{10});
        // A sequential scale never gets darker.
        for (const ColorStops& stops : {c.viridis, c.cividis}) {
            for (std::size_t i = 1; i < stops.size(); ++i)
                QVERIFY(contrastRatio(stops[i], Qt::black) >
                        contrastRatio(stops[i - 1], Qt::black));
        }
    }

    void the_desktop_gets_its_font_and_palette_back() {
        const QFont font = QApplication::font();
        const QPalette palette = QApplication::palette();
        {
            ThemeController theme;
            theme.setMode(variantOf(palette) == Variant::Dark ? ThemeMode::Light : ThemeMode::Dark);
            theme.setTextPercent(200);
            QCOMPARE(QApplication::font().pointSizeF(), 2 * font.pointSizeF());
            QVERIFY(variantOf(QApplication::palette()) != variantOf(palette));
        }
        QCOMPARE(QApplication::font().pointSizeF(), font.pointSizeF());
        QCOMPARE(variantOf(QApplication::palette()), variantOf(palette));
    }

    void palettes_say_which_theme_they_are() {
        QCOMPARE(variantOf(makePalette(Variant::Light)), Variant::Light);
        QCOMPARE(variantOf(makePalette(Variant::Dark)), Variant::Dark);
    }
};

QTEST_MAIN(ThemeTest)
#include "tst_theme.moc"
