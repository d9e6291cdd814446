#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "base/thread_pool.h"
#include "infer/native_model.h"
#include "model/model_source.h"
#include "ui/bridge/probe_types.h"

namespace espalier::ui {

/// Cuts windows into parts that are measured one after the other, so that a first number is there
/// soon: a window of each task first, larger parts later. Each part scores the positions that it
/// would score as a piece of the whole.
std::vector<TokenWindows> probeParts(const TokenWindows& windows);

/// A model with its probe texts, which remembers what the whole model says of them.
class ProbeModel {
public:
    /// @throws Error
    ProbeModel(const QString& path, const ProbeSource& source);

    bool isOf(const QString& path, const ProbeSource& source) const {
        return path == m_path && source == m_source;
    }
    /// Reports after each part, and once more when the routing has been compared, too.
    /// @throws Error, Cancelled
    void measure(const ExpertMask& mask, const std::stop_token& stop,
                 const std::function<void(const ProbeReading&)>& report);

private:
    ProbeRouting compareRouting(const ExpertMask& mask, const std::stop_token& stop);

    QString m_path;
    ProbeSource m_source;
    std::unique_ptr<ModelSource> m_model;
    ThreadPool m_pool;
    NativeModel m_native;
    std::vector<TokenWindows> m_parts;
    std::int64_t m_tokens = 0;
    std::vector<std::unique_ptr<MaskProbe>> m_probes;  ///< of the parts that were read so far
};

}  // namespace espalier::ui
