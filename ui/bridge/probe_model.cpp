#include "ui/bridge/probe_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "eval/evaluate.h"
#include "pipeline/probe_windows.h"

namespace espalier::ui {
namespace {

constexpr std::int64_t tokensOfPart = 4096;
/// On so many the routing is compared.
constexpr std::size_t tokensOfRouting = 4096;
/// For what all parts together remember of the whole model.
constexpr std::uint64_t memoryForStates = std::uint64_t{1} << 30;

/// Means of parts, weighted by their tokens.
class CostSum {
public:
    void add(const MaskCost& cost) {
        const auto tokens = static_cast<double>(cost.tokens);
        if (cost.tokens == 0) return;
        m_kl += cost.kl * tokens;
        m_top1 += cost.top1 * tokens;
        m_logPerplexity += std::log(cost.perplexity) * tokens;
        m_tokens += cost.tokens;
    }
    MaskCost mean() const {
        if (m_tokens == 0) return {};
        const auto tokens = static_cast<double>(m_tokens);
        return {m_kl / tokens, m_top1 / tokens, std::exp(m_logPerplexity / tokens), m_tokens};
    }

private:
    double m_kl = 0;
    double m_top1 = 0;
    double m_logPerplexity = 0;
    std::int64_t m_tokens = 0;
};

struct MeasurementSum {
    explicit MeasurementSum(std::size_t numTasks) : tasks(numTasks) {}

    void add(const MaskMeasurement& part) {
        all.add(part.all);
        for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i].add(part.tasks[i]);
    }
    MaskMeasurement mean() const {
        MaskMeasurement result{all.mean(), {}};
        for (const CostSum& task : tasks) result.tasks.push_back(task.mean());
        return result;
    }

    CostSum all;
    std::vector<CostSum> tasks;
};

TokenWindows readWindows(const ModelSource& model, const ProbeSource& source) {
    return read_probe_windows(model, {.data = source.data,
                                      .file = source.file.toStdString(),
                                      .context = source.context,
                                      .max_tokens = source.maxTokens});
}

/// Full windows of all tasks by turns.
std::vector<std::size_t> byTurns(const TokenWindows& windows, std::size_t length) {
    std::vector<std::vector<std::size_t>> ofTask(windows.tasks.size());
    for (std::size_t w = 0; w < windows.windows.size(); ++w) {
        if (windows.windows[w].size() == length)
            ofTask[static_cast<std::size_t>(windows.task_of_window[w])].push_back(w);
    }
    std::vector<std::size_t> order;
    for (std::size_t turn = 0; order.empty() || order.size() < windows.windows.size(); ++turn) {
        const std::size_t before = order.size();
        for (const auto& list : ofTask) {
            if (turn < list.size()) order.push_back(list[turn]);
        }
        if (order.size() == before) break;
    }
    return order;
}

/// As many tokens of each task, from the parts that are read first.
std::vector<EvaluationText> routingTexts(const std::vector<TokenWindows>& parts) {
    const std::vector<std::string>& tasks = parts.front().tasks;
    std::vector<EvaluationText> texts;
    for (const std::string& task : tasks) texts.push_back({task, {}, -1});
    const std::size_t share = tokensOfRouting / tasks.size();
    for (const TokenWindows& part : parts) {
        for (std::size_t w = 0; w < part.windows.size(); ++w) {
            auto& ids = texts[static_cast<std::size_t>(part.task_of_window[w])].ids;
            const std::size_t room = share - std::min(share, ids.size());
            const auto& window = part.windows[w];
            ids.insert(ids.end(), window.begin(),
                       window.begin() + static_cast<std::ptrdiff_t>(std::min(room, window.size())));
        }
    }
    std::erase_if(texts, [](const EvaluationText& text) { return text.ids.size() < 2; });
    return texts;
}

ProbeRouting routingOf(const Json& report) {
    ProbeRouting routing{.verdict = report.at("verdict").get<std::string>(),
                         .recall = report.at("mean").at("recall").get<double>(),
                         .displaced = report.at("mean").at("displaced").get<double>(),
                         .worstRecall = 2};
    for (const Json& layer : report.at("per_layer")) {
        const auto recall = layer.at("recall").get<double>();
        if (recall >= routing.worstRecall) continue;
        routing.worstRecall = recall;
        routing.worstLayer = layer.at("layer").get<std::int64_t>();
    }
    return routing;
}

}  // namespace

std::vector<TokenWindows> probeParts(const TokenWindows& windows) {
    std::size_t longest = 0;
    for (const auto& window : windows.windows) longest = std::max(longest, window.size());
    std::vector<TokenWindows> parts;
    std::int64_t room = 0;
    const auto add = [&](std::size_t w) {
        parts.back().windows.push_back(windows.windows[w]);
        parts.back().task_of_window.push_back(windows.task_of_window[w]);
    };
    for (const std::size_t w : byTurns(windows, longest)) {
        const auto size = static_cast<std::int64_t>(longest);
        if (room < size) {
            parts.push_back({.windows = {}, .task_of_window = {}, .tasks = windows.tasks});
            room = parts.size() == 1 ? size * static_cast<std::int64_t>(windows.tasks.size())
                                     : std::max(tokensOfPart, size);
        }
        room -= size;
        add(w);
    }
    // Shorter ones go with a full window, whose length says from where on positions are scored.
    for (std::size_t w = 0; w < windows.windows.size() && !parts.empty(); ++w) {
        if (windows.windows[w].size() < longest) add(w);
    }
    return parts;
}

ProbeModel::ProbeModel(const QString& path, const ProbeSource& source)
    : m_path(path),
      m_source(source),
      m_model(ModelSource::open(path.toStdString())),
      m_native(*m_model, m_pool),
      m_parts(probeParts(readWindows(*m_model, source))) {
    for (const TokenWindows& part : m_parts) m_tokens += part.num_tokens();
}

void ProbeModel::measure(const ExpertMask& mask, const std::stop_token& stop,
                         const std::function<void(const ProbeReading&)>& report) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const MaskProbeOptions options{.memory_bytes = memoryForStates / m_parts.size(),
                                   .streams_layers = is_larger_than_memory(*m_model)};
    ProbeReading reading{.tasks = m_parts.front().tasks, .cost = {}, .whole = {}};
    MeasurementSum cost(reading.tasks.size());
    MeasurementSum whole(reading.tasks.size());
    std::int64_t tokens = 0;
    for (std::size_t i = 0; i < m_parts.size(); ++i) {
        if (i == m_probes.size())
            m_probes.push_back(std::make_unique<MaskProbe>(m_native, m_parts[i], options, stop));
        cost.add(m_probes[i]->measure(mask, stop));
        whole.add(m_probes[i]->whole());
        tokens += m_parts[i].num_tokens();
        reading.cost = cost.mean();
        reading.whole = whole.mean();
        reading.share = i + 1 == m_parts.size()
                            ? 1.0
                            : static_cast<double>(tokens) / static_cast<double>(m_tokens);
        reading.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        report(reading);
    }
    reading.routing = compareRouting(mask, stop);
    reading.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    report(reading);
}

ProbeRouting ProbeModel::compareRouting(const ExpertMask& mask, const std::stop_token& stop) {
    const std::vector<EvaluationText> texts = routingTexts(m_parts);
    std::size_t window = static_cast<std::size_t>(m_source.context);
    for (const EvaluationText& text : texts) window = std::min(window, text.ids.size());
    const Json result =
        evaluate({.model = *m_model,
                  .reference = m_model.get(),
                  .mask = mask,
                  .texts = texts,
                  .options = {.context = static_cast<std::int64_t>(window), .first_scored = 0},
                  .pool = m_pool},
                 stop);
    return routingOf(result.at("routing"));
}

}  // namespace espalier::ui
