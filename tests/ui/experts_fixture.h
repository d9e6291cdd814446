#pragma once

#include <QString>
#include <memory>

#include "ui/bridge/expert_session.h"
#include "window_fixture.h"

class QTabWidget;

namespace espalier::ui {
class ExpertsPage;
class HeatView;
}  // namespace espalier::ui

/// Where statistics of the bundled sample lie that a calibration of it has written.
QString sampleStatistics();
QString sampleModel();

/// What a calibration has gathered beside the cheap statistics.
enum class Gathered {
    Basics,
    Outputs  ///< the mean output of each expert, made up
};

/// A finished run of the stage calibrate on the sample, with those statistics and a few texts, in
/// the fixture's library.
/// @return the statistics file in it
QString addCalibration(WindowFixture& fixture, Gathered gathered = Gathered::Basics);

/// The window at the page of the experts.
class ExpertsWindow : public WindowFixture {
public:
    espalier::ui::ExpertsPage& page();
    espalier::ui::ExpertSession& session();
    espalier::ui::HeatView& view();
    QTabWidget& tabs();
    void open();
    /// With statistics and a first choice.
    void openSample(Gathered gathered = Gathered::Basics);
    /// Waits until the plan in force is measured, its routing too.
    void measure();
    /// As if the user had chosen the entry with that text.
    void choose(const char* combo, const QString& text);
};

/// A new one that is active; null if it does not become so. Warnings fail the test from now on, but
/// for what Qt says of every dialog and tooltip without a screen.
std::unique_ptr<ExpertsWindow> makeExpertsWindow();

/// What core chooses of the sample. @param wishes what is locked and forced out
espalier::ExpertPlan selected(std::int64_t keep, const std::string& criterion = "reap",
                              std::map<std::int64_t, espalier::LayerPlan> wishes = {});

/// Kept experts by layer.
std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const espalier::ui::PlanState& plan);
std::map<std::int64_t, std::vector<std::int32_t>> keptOf(const espalier::ExpertPlan& plan);
