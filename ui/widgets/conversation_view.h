#pragma once

#include <QScrollArea>
#include <QVector>

class QVBoxLayout;

namespace espalier::ui {

class IconButton;
class MessageWidget;
enum class MessageSide;

/// The messages of a chat. Follows its end until the user scrolls up; then a button leads back.
class ConversationView : public QScrollArea {
    Q_OBJECT

public:
    explicit ConversationView(const QString& name, QWidget* parent = nullptr);

    MessageWidget* addMessage(MessageSide side, const QString& text);
    MessageWidget* last() const { return m_messages.isEmpty() ? nullptr : m_messages.last(); }
    void removeLast();
    void clear();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void followEnd();
    void placeButton();

    QWidget* m_content;
    QVBoxLayout* m_layout;
    IconButton* m_toEnd;
    QVector<MessageWidget*> m_messages;
    bool m_follows = true;
};

}  // namespace espalier::ui
