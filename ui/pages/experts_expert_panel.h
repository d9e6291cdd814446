#pragma once

#include <QWidget>

#include "ui/models/expert_facts.h"

class QPlainTextEdit;

namespace espalier::ui {

class ExpertSession;
class InfoView;
class PushButton;
class TextLabel;

/// One expert in words and figures, and what to do with it.
class ExpertsExpertPanel : public QWidget {
    Q_OBJECT

public:
    explicit ExpertsExpertPanel(ExpertSession& session, QWidget* parent = nullptr);

    /// @param name of what the scores are
    void showExpert(const ExpertFacts& facts, const QString& name);
    void clear();
    bool hasExpert() const { return m_hasExpert; }
    const ExpertCell& cell() const { return m_facts.cell; }
    void focusFirst();

private:
    void buildLayout();
    void showFacts();
    void showTexts();
    ExpertCells cells() const { return {{m_facts.cell.layer, {m_facts.cell.expert}}}; }
    QString partnersText() const;

    ExpertSession& m_session;
    ExpertFacts m_facts;
    QString m_name;
    bool m_hasExpert = false;
    TextLabel* m_title;
    TextLabel* m_hint;
    InfoView* m_rows;
    PushButton* m_lock;
    PushButton* m_remove;
    PushButton* m_show;
    QPlainTextEdit* m_texts;
};

}  // namespace espalier::ui
