#pragma once

#include <QVariant>
#include <QWidget>
#include <initializer_list>

class QComboBox;

namespace espalier::ui {

/// Charts of one of several things, such as layers or stages, below a list of them that grows while
/// they are measured. The newest shows until the user chooses one.
class ChosenCharts : public QWidget {
    Q_OBJECT

public:
    struct Words {
        QString name;            ///< object name of the list
        QString label;           ///< beside it, with its mnemonic
        QString accessibleName;  ///< of the list
    };

    ChosenCharts(const Words& words, std::initializer_list<QWidget*> charts,
                 QWidget* parent = nullptr);

    /// Adds a choice, or renames it; choices stand in the order of their keys.
    void setChoice(qlonglong key, const QString& text);
    /// What is chosen; none if there is nothing to choose.
    QVariant chosen() const;
    void clearChoices();
    /// For the user; without such a choice nothing changes.
    void choose(qlonglong key);

Q_SIGNALS:
    /// By the user.
    void chosenChanged();

private:
    QComboBox* m_choice;
    bool m_isChosen = false;  ///< by the user
};

}  // namespace espalier::ui
