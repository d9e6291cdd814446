#include <QTest>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "prune/channel_plan.h"
#include "prune/tiny_stats.h"

using namespace espalier;

namespace {

using Ids = std::vector<std::int32_t>;

}  // namespace

class TestChannelPlan : public QObject {
    Q_OBJECT

private:
    static ExpertStats with_channels() {
        auto layer = tiny::layer({5, 5}, {2, 1});
        layer.channel_energy = {1, 1, 1, 1, 1, 1, 1, 1};
        layer.channel_max_sq = {4, 1, 3, 2, 1, 1, 1, 9};
        layer.down_column_sq = {1, 5, 1, 1, 1, 1, 2, 1};
        return tiny::stats({layer});
    }

private Q_SLOTS:
    void channels_with_most_energy_stay() {
        const ExpertStats stats = with_channels();
        MoeConfig config = tiny::config(1, 2, 1);
        config.moe_intermediate_size = 4;
        ChannelOptions options{.keep = KeepTarget::parse("2"), .multiple = 1};
        const ChannelPlan plan = select_channels(stats, config, options);
        QCOMPARE(plan.layers.at(0).at(0), (Ids{0, 1}));  // 4 5 3 2
        QCOMPARE(plan.layers.at(0).at(1), (Ids{2, 3}));  // 1 1 2 9
        QVERIFY(std::abs(plan.reasons.at("layers").at(0).at("energy_kept").get<double>() -
                         20.0 / 27) < 1e-12);
        QVERIFY(channel_plan_from_json(to_json(plan), "plan") == plan);
        options.rho = 0;  // 1 5 1 1, 1 1 2 1
        QCOMPARE(select_channels(stats, config, options).layers.at(0).at(0), (Ids{0, 1}));
        options.multiple = 2;
        options.keep = KeepTarget::parse("0.5");
        QCOMPARE(select_channels(stats, config, options).kept, std::int64_t{2});
        options.keep = KeepTarget::parse("1.0");
        QCOMPARE(select_channels(stats, config, options).kept, std::int64_t{4});
        options.keep = KeepTarget::parse("3");
        QVERIFY_THROWS_EXCEPTION(Error, select_channels(stats, config, options));
        config.moe_intermediate_size = 8;  // of another model
        options.keep = KeepTarget::parse("4");
        QVERIFY_THROWS_EXCEPTION(Error, select_channels(stats, config, options));
        QVERIFY_THROWS_EXCEPTION(Error, require_fits(plan, config));
    }

    void bad_plans_of_channels_are_refused_data() {
        QTest::addColumn<QString>("field");
        QTest::addColumn<QString>("value");
        QTest::newRow("unit") << "unit"
                              << "\"experts\"";
        QTest::newRow("version") << "version"
                                 << "2";
        QTest::newRow("no width") << "width"
                                  << "0";
        QTest::newRow("huge width") << "width"
                                    << "1e18";
        QTest::newRow("more kept than there are") << "kept"
                                                  << "5";
        QTest::newRow("another number kept") << "kept"
                                             << "3";
        QTest::newRow("no digit") << "layers"
                                  << "[{\"layer\":0,\"experts\":[\"x\"]}]";
        QTest::newRow("too many digits") << "layers"
                                         << "[{\"layer\":0,\"experts\":[\"03\"]}]";
        QTest::newRow("no list") << "layers"
                                 << "{\"layer\":0}";
        QTest::newRow("negative layer") << "layers"
                                        << "[{\"layer\":-1,\"experts\":[]}]";
    }
    void bad_plans_of_channels_are_refused() {
        QFETCH(QString, field);
        QFETCH(QString, value);
        MoeConfig config = tiny::config(1, 2, 1);
        config.moe_intermediate_size = 4;
        Json json = to_json(select_channels(with_channels(), config,
                                            {.keep = KeepTarget::parse("2"), .multiple = 1}));
        json[field.toStdString()] = Json::parse(value.toStdString());
        QVERIFY_THROWS_EXCEPTION(Error, channel_plan_from_json(json, "plan"));
    }
};

QTEST_APPLESS_MAIN(TestChannelPlan)
#include "tst_channel_plan.moc"
