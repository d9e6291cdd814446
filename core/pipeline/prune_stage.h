#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/config_fields.h"
#include "pipeline/progressive_prune.h"
#include "pipeline/stage.h"
#include "prune/select_experts.h"

namespace espalier {

/// Chooses experts by the statistics and writes the model without the others.
struct PruneConfig {
    std::string criterion = "reap";
    std::string merge;
    double keep_ratio = 0.5;
    std::int64_t keep_experts = 0;
    bool protects_super_experts = true;
    bool protects_outliers = false;
    bool compensates_lost_mass = false;
    bool sequential = false;
    double champion_share = 0.03;
    std::string scope = "layers";
    std::int64_t lowest = 0;
    bool pads_to_uniform = false;
    bool native = false;
    std::string task_weights;
    std::string task_mix = "sum";
    std::vector<std::string> accept;
    std::string plan_path;
    std::string stats_path = {};
    double search_seconds = 120;
    std::int64_t search_tries = 0;
    std::int64_t search_tokens = 131'072;
    std::string probe_file;
    std::int64_t routing_tokens = 4096;
    std::string limits_file = {};
    std::int64_t repetition_tokens = 512;
    bool progressive = false;
    std::int64_t rounds = 0;
    double step = 0.05;
    double max_kl = 0;
    std::int64_t remeasure_every = 0;
    std::string recovery = "none";
    bool operator==(const PruneConfig&) const = default;
};

template <MaybeConst<PruneConfig> Config, typename Visitor>
void visit_fields(Config& config, Visitor&& visit) {
    visit("criterion", config.criterion,
          "How experts are scored; auto measures several and improves on the best");
    visit(
        "merge", config.merge,
        "Experts that go are merged into those that stay: ream, hc_smoe, m_smoe or partial; empty: "
        "they are removed. Calibration must gather profiles");
    visit("keep_ratio", config.keep_ratio, "Share of experts kept in each layer, 0 to 1");
    visit("keep_experts", config.keep_experts, "Experts kept in each layer; 0 = by keep_ratio");
    visit("protects_super_experts", config.protects_super_experts,
          "Never removes experts whose outputs are extremely large");
    visit("protects_outliers", config.protects_outliers,
          "Nor those of the last quarter of the layers, where large outputs are usual");
    visit(
        "compensates_lost_mass", config.compensates_lost_mass,
        "Where gates are probabilities of all experts: scales outputs so that gates which grow as "
        "others go give what they gave, on the mean");
    visit("sequential", config.sequential,
          "Chooses layer by layer: each is measured again behind those that are cut or merged "
          "already, for the price of another calibration");
    visit("champion_share", config.champion_share,
          "Share of a layer's experts that stay for each task as its best, whatever their score");
    visit(
        "scope", config.scope,
        "layers: as many experts in each; across: as many on the mean, fewer where they cost less");
    visit("lowest", config.lowest,
          "With across: the fewest experts that a layer keeps; 0 = a quarter, or with auto half as "
          "many again as each token is sent to");
    visit("pads_to_uniform", config.pads_to_uniform,
          "With across: smaller layers are filled up to the largest one's number");
    visit("native", config.native,
          "Allows what Espalier alone can run: different numbers of experts in different layers, "
          "constants in place of experts");
    visit("task_weights", config.task_weights,
          "TASK=NUMBER with commas between; empty: all tokens together");
    visit("task_mix", config.task_mix,
          "sum of the tasks' ranks, or max-min: the task that keeps least keeps as much as it can");
    visit("accept", config.accept, "Warnings that are taken on, such as low_task_mass");
    visit("plan_path", config.plan_path, "An expert plan to apply instead of choosing");
    visit("stats_path", config.stats_path,
          "Statistics in place of what calibration gathered; a plan that merges, or puts constants "
          "in place of experts, needs those that it was made from");
    visit("search_seconds", config.search_seconds, "For auto: time for the search");
    visit("search_tries", config.search_tries,
          "For auto: most plans tried; 0 = no limit. Without it, the machine's speed decides");
    visit(
        "search_tokens", config.search_tokens,
        "For auto: tokens of the calibration texts to search on; for rounds: tokens to measure on");
    visit("probe_file", config.probe_file,
          "For auto and rounds: a probe set in place of what calibration kept out of the recipe's "
          "data, to check the search's result or to measure each round on");
    visit("routing_tokens", config.routing_tokens,
          "Tokens on which the routing is compared with the original's; 0 = not compared");
    visit("limits_file", config.limits_file, "Limits for routing in place of the project's own");
    visit("repetition_tokens", config.repetition_tokens,
          "Tokens of each of eight texts that the result writes, to see whether it repeats itself; "
          "0 = none");
    visit("progressive", config.progressive,
          "Removes experts in several rounds, each measured as a mask before it stands");
    visit("rounds", config.rounds, "How many rounds; 0 = as many as the step needs");
    visit("step", config.step, "Largest share of the original experts that one round removes");
    visit("max_kl", config.max_kl,
          "Rounds end where the KL divergence from the whole model, nats a token, would pass this; "
          "0 = no limit");
    visit("remeasure_every", config.remeasure_every,
          "Calibrates again after every so many rounds, without the experts that went; 0 = never");
    visit("recovery", config.recovery, "What brings the model back between rounds; none: nothing");
}

/// @throws Error RunRecipe
void validate(const PruneConfig& config);

KeepTarget keep_target(const PruneConfig& config);
RoundSchedule round_schedule(const PruneConfig& config);

StageOutput run_prune(const StageContext& context, const PruneConfig& config);

}  // namespace espalier
