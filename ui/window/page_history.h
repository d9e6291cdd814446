#pragma once

#include <vector>

namespace espalier::ui {

/// Visited pages, as in a browser: going somewhere new forgets what was ahead.
class PageHistory {
public:
    void visit(int page);
    bool canGoBack() const { return m_position > 0; }
    bool canGoForward() const { return m_position + 1 < static_cast<int>(m_pages.size()); }
    int goBack() { return m_pages[static_cast<std::size_t>(--m_position)]; }
    int goForward() { return m_pages[static_cast<std::size_t>(++m_position)]; }

private:
    std::vector<int> m_pages;
    int m_position = -1;
};

}  // namespace espalier::ui
