#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "model/model_source.h"
#include "prune/align_neurons.h"
#include "prune/expert_plan.h"
#include "routing/expert_stats.h"

namespace espalier {

/// One expert's part of a stored tensor, in place of which its group's mean is written.
struct MergedPiece {
    TensorKey key;  ///< of the first that the tensor holds; its expert is the survivor
    DType dtype = DType::F32;
    std::size_t bytes = 0;
};

/// What the neurons are aligned by, and what each expert counts.
struct MergeInput {
    const ModelSource& model;
    const ExpertPlan& plan;    ///< fits the model
    const ExpertStats& stats;  ///< of the model, with vectors
    std::size_t num_threads = 1;
    bool aligns_neurons =
        true;  ///< false: channels are averaged as they lie, to see what that does
};

/// @throws Error RunRecipe for statistics that lack what the plan's way of merging needs;
/// FileUnsupported for experts whose values lie in quantised blocks
void require_mergeable(const MergeInput& input);

/// Averages experts, a group at a time in memory: each member's hidden channels are brought into
/// the survivor's order first, then values are averaged in double, weighed as the plan's way of
/// merging says, and rounded once to float32 and to the type of the file.
class ExpertMerger {
public:
    /// @throws Error as require_mergeable()
    ExpertMerger(const MergeInput& input, std::stop_token stop);

    /// The bytes of the piece. The first of each group takes long: its neurons are aligned.
    std::vector<std::byte> merged(const MergedPiece& piece);
    /// A survivor's tensor as it is asked for, not rounded to the type of the file.
    std::vector<float> mean(const TensorKey& key);

private:
    struct Group {
        std::vector<std::int32_t> experts;  ///< survivor first
        std::vector<double> weights;        ///< sum 1
        /// Of each expert: which of its channels comes first, second, …; empty: as they lie.
        std::vector<std::vector<std::int32_t>> orders;
        bool is_aligned = false;
    };

    Group& aligned(const TensorKey& survivor);
    void align(std::int64_t layer, Group& group);
    std::vector<float> mean_of(const TensorKey& key, const Group& group) const;

    const MergeInput input_;
    std::stop_token stop_;
    ThreadPool pool_;
    WeightProjection projection_;
    std::map<std::pair<std::int64_t, std::int32_t>, Group> groups_;  ///< by layer and survivor
    std::int64_t inputs_layer_ = -1;  ///< whose inputs are in inputs_
    std::vector<float> inputs_;
};

}  // namespace espalier
