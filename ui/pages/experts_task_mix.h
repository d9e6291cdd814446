#pragma once

#include <QWidget>
#include <map>
#include <string>
#include <vector>

#include "prune/select_experts.h"

class QComboBox;
class QDoubleSpinBox;
class QGridLayout;

namespace espalier::ui {

/// How the tasks of the texts count when experts are chosen: all texts alike, each task by a
/// weight, or so that the task that keeps least keeps as much as it can.
class ExpertsTaskMix : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsTaskMix(QWidget* parent = nullptr);

    QComboBox& choice() { return *m_choice; }
    /// Fewer than two tasks leave nothing to mix.
    void setTasks(const std::vector<std::string>& tasks);
    void setMix(TaskMix mix, const std::map<std::string, double>& weights);
    TaskMix mix() const;
    /// Empty where all texts count alike.
    std::map<std::string, double> weights() const;

Q_SIGNALS:
    /// The user has asked for something else.
    void changed();

private:
    enum Way { Alike, Weighted, Weakest };

    Way way() const;
    void showWeights();

    std::vector<std::string> m_tasks;
    QComboBox* m_choice;
    QGridLayout* m_grid;
    std::vector<QDoubleSpinBox*> m_weights;  ///< as many as there ever were tasks
};

}  // namespace espalier::ui
