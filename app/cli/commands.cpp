#include "app/cli/commands.h"

namespace espalier::cli {

void add_all_commands(CLI::App& app, Chosen& chosen) {
    for (auto* add : {add_inspect, add_tokenize, add_render_chat, add_trace, add_calibrate,
                      add_merge_stats, add_select, add_prune, add_diff, add_quantize, add_run,
                      add_generate, add_eval, add_bench, add_export, add_models, add_doctor}) {
        add(app, chosen);
    }
}

}  // namespace espalier::cli
