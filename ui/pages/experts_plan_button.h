#pragma once

#include <functional>

#include "ui/bridge/plan_state.h"
#include "ui/bridge/services.h"
#include "ui/widgets/push_button.h"

class QAction;
class QMenu;

namespace espalier::ui {

class ExpertSession;
struct Failure;

/// Names the plan and does with its file what files are for: open, save, rename, compare.
class ExpertsPlanButton : public PushButton {
    Q_OBJECT

public:
    ExpertsPlanButton(const Services& services, ExpertSession& session, QWidget* parent = nullptr);

    /// Asks for a name if the plan has none.
    void save();

Q_SIGNALS:
    void pictureRequested();
    void tableRequested();
    void announced(const QString& text);
    void failed(const espalier::ui::Failure& failure);

private:
    void buildMenu();
    QAction* add(const QString& name, const QString& text, void (ExpertsPlanButton::*act)());
    void showState();
    /// Asks the worker for the plans of the model and shows them in both submenus.
    void fillPlans();
    void saveAs();
    void duplicate();
    void rename();
    void editNote();
    void askForName(const QString& title, const QString& name,
                    const std::function<void(const QString&)>& take);
    void openFile();
    void compareWith(const QString& path);
    void openCutModel(bool isFile);
    void readCutModel(const QString& path);

    Services m_services;
    ExpertSession& m_session;
    QMenu* m_open;
    QMenu* m_compare;
    QList<QAction*> m_needPlan;
};

/// "+12 −9 experts, layers 3, 17, 31".
QString differenceText(const PlanDifference& difference);

}  // namespace espalier::ui
