#pragma once

#include <QWidget>
#include <vector>

namespace espalier::ui {

enum class StageState { Waiting, Running, Done, Failed };

struct StageMark {
    QString name;
    StageState state = StageState::Waiting;
    bool operator==(const StageMark&) const = default;
};

/// The stages of a run in their order, each with a glyph and a word.
class StageLine : public QWidget {
    Q_OBJECT

public:
    explicit StageLine(const QString& name, QWidget* parent = nullptr);

    void setStages(const std::vector<StageMark>& stages);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int widthOf(const StageMark& stage) const;

    std::vector<StageMark> m_stages;
};

}  // namespace espalier::ui
