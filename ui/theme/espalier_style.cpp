#include "ui/theme/espalier_style.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QStyleOption>
#include <algorithm>

#include "ui/theme/colors.h"
#include "ui/theme/metrics.h"
#include "ui/theme/style_painting.h"

namespace espalier::ui {
namespace {

bool isPrimary(const QWidget* widget) {
    return widget != nullptr && widget->property("primary").toBool();
}

void drawTab(const QStyleOptionTab& tab, QPainter& painter) {
    const Colors& c = colors(tab.palette);
    const bool isSelected = tab.state.testFlag(QStyle::State_Selected);
    painter.setPen(QPen(isSelected ? c.accent : c.border, isSelected ? 3 : 1));
    const int bottom = tab.rect.bottom() - (isSelected ? 1 : 0);
    painter.drawLine(tab.rect.left(), bottom, tab.rect.right(), bottom);
}

void drawProgress(const QStyleOptionProgressBar& bar, QPainter& painter) {
    const Colors& c = colors(bar.palette);
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(c.border, 1));
    painter.setBrush(c.surface);
    const QRectF frame = QRectF(bar.rect).adjusted(0.5, 0.5, -0.5, -0.5);
    painter.drawRoundedRect(frame, space::cornerRadius, space::cornerRadius);
    const double range = std::max(1, bar.maximum - bar.minimum);
    QRectF done = frame;
    done.setWidth(frame.width() * std::clamp((bar.progress - bar.minimum) / range, 0.0, 1.0));
    painter.setPen(Qt::NoPen);
    painter.setBrush(c.accent);
    if (done.width() >= 2) painter.drawRoundedRect(done, space::cornerRadius, space::cornerRadius);
    painter.restore();
}

void drawHeaderSection(const QStyleOption& option, QPainter& painter) {
    const Colors& c = colors(option.palette);
    painter.fillRect(option.rect, c.raised);
    painter.setPen(QPen(c.border, 1));
    painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight());
}

}  // namespace

EspalierStyle::EspalierStyle() : QProxyStyle(QStringLiteral("Fusion")) {}

void EspalierStyle::drawPrimitive(PrimitiveElement element, const QStyleOption* option,
                                  QPainter* painter, const QWidget* widget) const {
    const bool hasFocus = option->state.testFlag(State_HasFocus);
    switch (element) {
        case PE_PanelLineEdit:
            // Inside a spin or combo box the line edit has no frame of its own.
            if (const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
                frame != nullptr && frame->lineWidth > 0) {
                painting::field(*painter, *option, hasFocus);
            }
            return;
        case PE_FrameLineEdit:
            return;
        case PE_PanelButtonCommand:
        case PE_PanelButtonBevel:
            painting::button(*painter, *option, isPrimary(widget));
            return;
        case PE_PanelButtonTool:
            if (option->state & (State_MouseOver | State_Sunken | State_On)) {
                painting::button(*painter, *option, false);
            }
            return;
        case PE_FrameFocusRect:
            if (qobject_cast<const QPushButton*>(widget) != nullptr) return;  // has drawn it
            if (qobject_cast<const QAbstractItemView*>(widget) == nullptr || hasFocus) {
                painting::focusRing(*painter, *option);
            }
            return;
        case PE_IndicatorCheckBox:
        case PE_IndicatorItemViewItemCheck:
            painting::checkBox(*painter, *option);
            return;
        case PE_IndicatorRadioButton:
            painting::radioButton(*painter, *option);
            return;
        case PE_Frame:
            painting::itemFrame(*painter, *option, widget);
            return;
        case PE_FrameTabWidget:
            return;
        case PE_FrameStatusBarItem:
            return;
        default:
            QProxyStyle::drawPrimitive(element, option, painter, widget);
    }
}

void EspalierStyle::drawControl(ControlElement element, const QStyleOption* option,
                                QPainter* painter, const QWidget* widget) const {
    if (element == CE_PushButtonLabel && isPrimary(widget)) {
        if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option)) {
            QStyleOptionButton filled = *button;
            const Colors& c = colors(option->palette);
            if (option->state.testFlag(State_Enabled)) {
                filled.palette.setColor(QPalette::ButtonText, c.onAccent);
            }
            QProxyStyle::drawControl(element, &filled, painter, widget);
            return;
        }
    }
    if (element == CE_TabBarTabShape) {
        if (const auto* tab = qstyleoption_cast<const QStyleOptionTab*>(option))
            drawTab(*tab, *painter);
        return;
    }
    if (element == CE_ProgressBarGroove || element == CE_ProgressBarLabel) return;
    if (element == CE_ProgressBarContents) {
        if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option)) {
            drawProgress(*bar, *painter);
        }
        return;
    }
    if (element == CE_HeaderSection || element == CE_HeaderEmptyArea) {
        drawHeaderSection(*option, *painter);
        return;
    }
    QProxyStyle::drawControl(element, option, painter, widget);
}

void EspalierStyle::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                                       QPainter* painter, const QWidget* widget) const {
    const bool hasFocus = option->state.testFlag(State_HasFocus);
    if (const auto* combo = qstyleoption_cast<const QStyleOptionComboBox*>(option);
        combo != nullptr && control == CC_ComboBox) {
        painting::field(*painter, *option, hasFocus);
        const QRect arrow = subControlRect(CC_ComboBox, option, SC_ComboBoxArrow, widget);
        painting::arrow(*painter, *option, arrow, painting::Arrow::Down);
        return;
    }
    if (const auto* spin = qstyleoption_cast<const QStyleOptionSpinBox*>(option);
        spin != nullptr && control == CC_SpinBox) {
        painting::field(*painter, *option, hasFocus);
        painting::arrow(*painter, *option, subControlRect(control, option, SC_SpinBoxUp, widget),
                        painting::Arrow::Up);
        painting::arrow(*painter, *option, subControlRect(control, option, SC_SpinBoxDown, widget),
                        painting::Arrow::Down);
        return;
    }
    if (const auto* slider = qstyleoption_cast<const QStyleOptionSlider*>(option);
        slider != nullptr && control == CC_Slider && slider->orientation == Qt::Horizontal) {
        painting::slider(*painter, *slider,
                         subControlRect(control, option, SC_SliderGroove, widget),
                         subControlRect(control, option, SC_SliderHandle, widget));
        return;
    }
    QProxyStyle::drawComplexControl(control, option, painter, widget);
}

int EspalierStyle::pixelMetric(PixelMetric metric, const QStyleOption* option,
                               const QWidget* widget) const {
    switch (metric) {
        case PM_LayoutHorizontalSpacing:
        case PM_LayoutVerticalSpacing:
            return space::controls;
        case PM_HeaderMargin:
        case PM_FocusFrameHMargin:  // left and right of what stands in a cell
            return space::controls;
        case PM_ButtonShiftHorizontal:
        case PM_ButtonShiftVertical:
            return 0;
        default:
            return QProxyStyle::pixelMetric(metric, option, widget);
    }
}

int EspalierStyle::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                             QStyleHintReturn* returned) const {
    switch (hint) {
        case SH_EtchDisabledText:
        case SH_DitherDisabledText:
            return 0;
        case SH_DialogButtonBox_ButtonsHaveIcons:
        case SH_ComboBox_Popup:
            return 0;
        case SH_UnderlineShortcut:
            return 1;
        default:
            return QProxyStyle::styleHint(hint, option, widget, returned);
    }
}

QSize EspalierStyle::sizeFromContents(ContentsType type, const QStyleOption* option,
                                      const QSize& contents, const QWidget* widget) const {
    QSize size = QProxyStyle::sizeFromContents(type, option, contents, widget);
    switch (type) {
        case CT_PushButton:
            size.rwidth() += 2 * space::controls;
            [[fallthrough]];
        case CT_LineEdit:
        case CT_ComboBox:
        case CT_SpinBox:
        case CT_CheckBox:
        case CT_RadioButton:
            size.setHeight(std::max(size.height(), space::controlHeight));
            break;
        case CT_ToolButton:
            size = size.expandedTo({space::controlHeight, space::controlHeight});
            break;
        case CT_ItemViewItem:
            if (widget == nullptr || !widget->property("dense").toBool())
                size.setHeight(std::max(size.height() + 2 * space::inGroup, space::controlHeight));
            break;
        case CT_TabBarTab:
            size += QSize(space::controls, space::inGroup);
            break;
        default:
            break;
    }
    return size;
}

}  // namespace espalier::ui
