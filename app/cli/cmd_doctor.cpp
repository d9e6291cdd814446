#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <system_error>
#include <unistd.h>

#include "app/cli/commands.h"
#include "base/blas_kernels.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/size_text.h"
#include "base/thread_pool.h"
#include "base/torch_library.h"
#include "kernels/simd.h"
#include "store/database.h"

namespace espalier::cli {
namespace fs = std::filesystem;
namespace {

struct DoctorOptions {};

/// The BLAS that libtorch will be given, by following Debian's alternatives.
std::string blas_library() {
    for (const char* folder :
         {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"}) {
        std::error_code error;
        const auto path = fs::canonical(fs::path(folder) / "libblas.so.3", error);
        if (!error) return path.string();
    }
    return {};
}

std::string blas_advice(const std::string& library) {
    if (library.empty()) return "No BLAS was found: install libopenblas0-pthread.";
    if (library.find("openblas") != std::string::npos || library.find("mkl") != std::string::npos ||
        library.find("blis") != std::string::npos) {
        return {};
    }
    return "This is the reference BLAS, about a hundred times slower than it needs to be: install "
           "libopenblas0-pthread.";
}

Json torch_state() {
    try {
        open_torch_library();
        return {{"opens", true}};
    } catch (const Error& error) {
        return {{"opens", false}, {"problem", error.what()}};
    }
}

Json disk_state() {
    try {
        const fs::path folder = data_folder();
        return {{"folder", folder.string()}, {"available", fs::space(folder).available}};
    } catch (const Error& error) {
        return {{"folder", nullptr}, {"available", 0}, {"problem", error.what()}};
    }
}

Json examine() {
    const MachineMemory memory = machine_memory();
    const std::string blas = blas_library();
    return {
        {"threads", num_physical_cores()},
        {"simd", kernels::simd_target()},
        {"memory", {{"total", memory.total_bytes}, {"available", memory.available_bytes}}},
        {"disk", disk_state()},
        {"blas", {{"library", blas}, {"kernels", blas_kernels()}, {"advice", blas_advice(blas)}}},
        {"torch", torch_state()},
        {"sandbox", ::access("/usr/bin/bwrap", X_OK) == 0}};
}

std::optional<Json> doctor(const DoctorOptions&, const Session& session) {
    const Json found = examine();
    if (session.json) return found;
    fmt::print("cores    {}, SIMD {}\n", found["threads"].get<int>(),
               found["simd"].get<std::string>());
    fmt::print("memory   {} of {} free\n", memory_text(found["memory"]["available"]),
               memory_text(found["memory"]["total"]));
    const Json& disk = found["disk"];
    fmt::print("disk     {}\n", disk.contains("problem")
                                    ? disk["problem"].get<std::string>()
                                    : fmt::format("{} free in {}", size_text(disk["available"]),
                                                  disk["folder"].get<std::string>()));
    const std::string kernels = found["blas"]["kernels"];
    fmt::print("BLAS     {}{}\n", found["blas"]["library"].get<std::string>(),
               kernels.empty() ? "" : ", kernels for " + kernels);
    const std::string advice = found["blas"]["advice"];
    if (!advice.empty()) fmt::print("         {}\n", advice);
    const bool opens = found["torch"]["opens"];
    fmt::print("learning {}\n", opens ? "ready" : found["torch"]["problem"].get<std::string>());
    fmt::print("sandbox  {}\n", found["sandbox"].get<bool>()
                                    ? "bubblewrap is there"
                                    : "no bubblewrap: code tests cannot be run");
    return found;
}

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
    auto* command = app.add_subcommand("doctor", "Checks what this machine has for the work");
    does(*command, chosen, std::make_shared<DoctorOptions>(), doctor);
}

}  // namespace espalier::cli
