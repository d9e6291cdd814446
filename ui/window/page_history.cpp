#include "ui/window/page_history.h"

namespace espalier::ui {

void PageHistory::visit(int page) {
    if (m_position >= 0 && m_pages[static_cast<std::size_t>(m_position)] == page) return;
    m_pages.resize(static_cast<std::size_t>(m_position + 1));
    m_pages.push_back(page);
    ++m_position;
}

}  // namespace espalier::ui
